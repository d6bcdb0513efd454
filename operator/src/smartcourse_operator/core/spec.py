"""The `spec` of a SmartCourse. The CustomResourceDefinition is generated from these models (`crd.py`)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from smartcourse_operator.core.backups import Backup
from smartcourse_operator.core.fields import (
    CONTACT,
    DNS_LABEL,
    ENV_NAME,
    HOST,
    IMAGE,
    SENDER,
    URL,
    Model,
    Network,
    Origin,
    PodCount,
    Quantity,
    ResourceQuantity,
    SecretName,
    cel,
    immutable,
)


class DatabaseMode(StrEnum):
    EMBEDDED = "embedded"
    EXTERNAL = "external"


class RouteKind(StrEnum):
    INGRESS = "Ingress"
    HTTP_ROUTE = "HTTPRoute"


class IssuerKind(StrEnum):
    ISSUER = "Issuer"
    CLUSTER_ISSUER = "ClusterIssuer"


class RouteMode(StrEnum):
    GATEWAY = "gateway"
    FORWARD_AUTH = "forwardAuth"


class Broker(StrEnum):
    REDIS = "redis"
    KAFKA = "kafka"


class DeletionPolicy(StrEnum):
    RETAIN = "Retain"
    DELETE = "Delete"


class Resources(Model):
    """Compute resources of a component's main container, as in a Pod."""

    requests: dict[str, ResourceQuantity] | None = Field(
        None, description="What is reserved for the container, for example `cpu: 100m`.", max_length=8
    )
    limits: dict[str, ResourceQuantity] | None = Field(
        None, description="What the container may not exceed, for example `memory: 512Mi`.", max_length=8
    )


DATABASE_RULES = (
    ("self.mode != 'external' || has(self.secretName)", "secretName is required when mode is external"),
    ("self.mode != 'embedded' || !has(self.secretName)", "secretName is for mode external only"),
    immutable("mode", "data is moved by restoring a backup into a second SmartCourse of the other mode"),
    immutable("storageClassName", "a volume cannot change its class"),
)


class Database(Model):
    """One datastore: run by the operator, or outside and named by a Secret."""

    model_config = ConfigDict(json_schema_extra=cel(*DATABASE_RULES))

    mode: DatabaseMode = Field(
        DatabaseMode.EMBEDDED,
        description="embedded: a StatefulSet of one pod and its volume. external: a server outside, see secretName.",
    )
    size: Quantity = Field("2Gi", description="Size of the embedded server's volume; it may grow later.")
    storage_class_name: str | None = Field(
        None, description="StorageClass of the embedded server's volume; unset means the cluster's default.",
        max_length=253,
    )  # fmt: skip
    secret_name: SecretName | None = Field(
        None,
        description="For mode external: a Secret here with the key `admin-url` (postgres, mongodb) or `url` (redis).",
    )
    resources: Resources | None = Field(None, description="Compute resources of the embedded server.")


class PostgresDatabase(Database):
    """PostgreSQL: run by the operator, or outside and named by a Secret."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            *DATABASE_RULES,
            (
                "self.mode != 'embedded' || !has(self.maxConnections)",
                "maxConnections is for mode external only: of an embedded server the memory decides",
            ),
        )
    )

    max_connections: int | None = Field(
        None,
        ge=1,
        le=262_143,
        description="For mode external: how many connections the server takes, or leaves to this SmartCourse; the "
        "services' pools are made to fit. Unset means 100, PostgreSQL's own default.",
    )


class RedisDatabase(Database):
    """Redis: run by the operator, or outside and named by a Secret."""

    size: Quantity = Field("1Gi", description="Size of the embedded server's volume; it may grow later.")


class Databases(Model):
    """Where the data lives."""

    postgres: PostgresDatabase = Field(
        default_factory=PostgresDatabase, description="Users, courses and all that is joined or counted."
    )
    mongodb: Database = Field(default_factory=Database, description="Lesson bodies and their revisions.")
    redis: RedisDatabase = Field(
        default_factory=RedisDatabase,
        description="Limits, revocations and streams; it holds nothing that cannot be rebuilt.",
    )


class Autoscaling(Model):
    """A HorizontalPodAutoscaler for the component; `replicas` is then left to it."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.minReplicas <= self.maxReplicas", "minReplicas must not be greater than maxReplicas")
        )
    )

    min_replicas: int = Field(1, ge=1, le=100, description="Fewest pods.")
    max_replicas: int = Field(3, ge=1, le=100, description="Most pods.")
    target_cpu_utilization_percentage: int = Field(  # Kubernetes writes CPU in capitals
        80,
        ge=1,
        le=100,
        alias="targetCPUUtilizationPercentage",
        description="CPU use, of the request, that it aims at.",
    )


class PodDisruptionBudget(Model):
    """What a drained node may take away at a time."""

    max_unavailable: PodCount = Field(
        1, description="Most pods that may be evicted at a time, as a number or, for example, 25%."
    )


class UnsatisfiableConstraintAction(StrEnum):
    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


class Spread(Model):
    """Over what the pods are spread evenly."""

    topology_key: str = Field(
        "kubernetes.io/hostname",
        min_length=1,
        max_length=253,
        description="The nodes' label that tells places apart, for example topology.kubernetes.io/zone.",
    )
    when_unsatisfiable: UnsatisfiableConstraintAction = Field(
        UnsatisfiableConstraintAction.SCHEDULE_ANYWAY,
        description="ScheduleAnyway: an uneven spread is better than a missing pod. DoNotSchedule: the pod waits.",
    )


class Service(Model):
    """One of SmartCourse's own programs."""

    replicas: int | None = Field(
        None, ge=1, le=100,
        description="Number of pods; unset means spec.replicas. Not used when autoscaling is set.",
    )  # fmt: skip
    resources: Resources | None = Field(None, description="Compute resources of the service's container.")
    autoscaling: Autoscaling | None = Field(None, description="Scale by CPU use instead of a fixed number of pods.")
    env: dict[str, str] | None = Field(
        None,
        description="Further environment variables, for example `LOG_LEVEL: DEBUG`. Not for secrets.",
        max_length=64,
        json_schema_extra=cel((f"self.all(name, name.matches('{ENV_NAME}'))", "env names are of A-Z, 0-9 and _")),
    )
    pod_annotations: dict[str, str] | None = Field(
        None, description="Annotations of the pods, for what reads them there.", max_length=32
    )
    pod_disruption_budget: PodDisruptionBudget | None = Field(
        None, description="What a drained node may take away. Unset means one pod at a time."
    )
    spread: Spread | None = Field(
        None, description="Over what the pods are spread. Unset means nodes, where it can be."
    )


class Gateway(Service):
    """The gateway."""

    tls_secret_name: SecretName | None = Field(
        None,
        description="A Secret of type kubernetes.io/tls here: the gateway then serves HTTPS and HTTP/2 on port 8443 "
        "too, and takes a renewed certificate over without a restart. Unset means no TLS at the pods.",
    )


class Services(Model):
    """SmartCourse's own programs."""

    user: Service = Field(default_factory=Service, description="Accounts, sessions and instructor profiles.")
    course: Service = Field(default_factory=Service, description="Courses, modules and lessons.")
    notification: Service = Field(default_factory=Service, description="Notices to people.")
    gateway: Gateway = Field(default_factory=Gateway, description="The only way in: verifies tokens and limits rates.")


class IssuerRef(Model):
    """Who signs the certificate, of cert-manager's."""

    kind: IssuerKind = Field(IssuerKind.ISSUER, description="Issuer: in this namespace. ClusterIssuer: for all.")
    name: SecretName = Field(description="Name of the Issuer or ClusterIssuer.")


class RouteTls(Model):
    """TLS at the ingress controller."""

    secret_name: SecretName = Field(description="A Secret of type kubernetes.io/tls in this namespace.")
    issuer: IssuerRef | None = Field(
        None,
        description="cert-manager, which the cluster has to have, then gets the certificate from here, writes the "
        "Secret and renews it. Unset means that somebody else makes the Secret.",
    )


class ParentRef(Model):
    """The Gateway that an HTTPRoute attaches to."""

    name: str = Field(description="Name of the Gateway.", min_length=1, max_length=253)
    namespace: str | None = Field(None, description="Namespace of the Gateway; unset means this one.", max_length=63)
    section_name: str | None = Field(None, description="Listener of the Gateway.", max_length=253)


class Route(Model):
    """How requests reach the gateway."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.kind != 'HTTPRoute' || has(self.parentRef)", "parentRef is required when kind is HTTPRoute"),
            ("!has(self.tls) || has(self.host)", "host is required when tls is set"),
            ("self.kind != 'HTTPRoute' || !has(self.tls)", "tls of an HTTPRoute is set on its Gateway, not here"),
            (
                "!self.proxyProtocol || (has(self.trustedProxies) && size(self.trustedProxies) > 0)",
                "trustedProxies is required when proxyProtocol is true: only their word about a client counts",
            ),
            (
                "!self.proxyProtocol || self.kind != 'Ingress' || self.className != 'traefik'",
                "proxyProtocol cannot be used with Traefik: it does not speak it to HTTP services",
            ),
            ("self.mode != 'forwardAuth' || self.kind == 'Ingress'", "mode forwardAuth is for kind Ingress only"),
            (
                "self.mode != 'forwardAuth' || self.className == 'traefik' || self.className.startsWith('traefik-')",
                "mode forwardAuth needs a className of Traefik's: traefik, or one that begins with traefik-",
            ),
            ("self.retries == 0 || self.kind == 'Ingress'", "retries are for kind Ingress only"),
            (
                "self.retries == 0 || self.className == 'traefik' || self.className.startsWith('traefik-')",
                "retries need a className of Traefik's: traefik, or one that begins with traefik-",
            ),
        )
    )

    kind: RouteKind = Field(RouteKind.INGRESS, description="The object that is made: Ingress or HTTPRoute.")
    class_name: str = Field("traefik", description="IngressClass of the Ingress.", min_length=1, max_length=253)
    mode: RouteMode = Field(
        RouteMode.GATEWAY,
        description="gateway: every request goes through the gateway. forwardAuth: Traefik carries requests to the "
        "services itself and asks the gateway about each (ForwardAuth).",
    )
    data_plane_namespace: str = Field(
        "traefik",
        pattern=rf"^{DNS_LABEL}$",
        max_length=63,
        description="For mode forwardAuth: the namespace of Traefik's pods, which alone may ask the gateway and reach "
        "the services.",
    )
    retries: int = Field(
        0,
        ge=0,
        le=3,
        description="How often Traefik tries another pod when one does not take the connection, as when it was killed "
        "a moment ago. A request of which a pod has seen anything is not repeated. Default: never.",
    )
    host: str | None = Field(
        None, pattern=HOST, max_length=253, description="Host name that is served; unset means any."
    )
    tls: RouteTls | None = Field(None, description="Serve `host` over TLS.")
    parent_ref: ParentRef | None = Field(None, description="For kind HTTPRoute: the Gateway to attach to.")
    cors_origins: list[Origin] = Field(
        [],
        max_length=32,
        json_schema_extra=cel(
            (
                "self.all(origin, !origin.matches('^(https:.*:443|http:.*:80)$'))",
                "corsOrigins: browsers leave a scheme's own port out, leave it out",
            )
        ),
        description="Origins of web applications whose pages may call the API, exactly as browsers send them, for "
        "example https://app.example.org. Default: none.",
    )
    trusted_proxies: list[Network] | None = Field(
        None,
        max_length=32,
        description="Networks (CIDR) of the proxies in front of the gateway, whose word about a client's address and "
        "scheme is believed. Default: the private IPv4 networks.",
    )
    proxy_protocol: bool = Field(
        False,
        description="Whether each connection to the gateway begins with a PROXY header (version 1 or 2); the proxies "
        "in front must all send it.",
    )


class Auth(Model):
    """Tokens."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.accessTokenMinutes < self.refreshTokenDays * 1440",
                "accessTokenMinutes must be shorter than refreshTokenDays",
            )
        )
    )

    access_token_minutes: int = Field(15, ge=1, le=1440, description="Lifetime of an access token, in minutes.")
    refresh_token_days: int = Field(7, ge=1, le=90, description="Lifetime of a refresh token, in days.")
    issuer: str = Field("smartcourse", min_length=1, max_length=200, description="The tokens' `iss`.")
    audience: str = Field("smartcourse-api", min_length=1, max_length=200, description="The tokens' `aud`.")
    secret_name: SecretName | None = Field(
        None, description="A Secret with `jwt-secret` and `identity-key`; unset means the operator generates one."
    )
    revocation_grace_seconds: int = Field(
        30, ge=0, le=300, description="How long tokens already known still pass while Redis is away, in seconds."
    )


class Rotation(Model):
    """How often generated secrets are replaced, without an interruption."""

    jwt_days: int = Field(
        0, ge=0, le=3650, description="Age, in days, at which the tokens' signing key is replaced. 0: never."
    )
    identity_days: int = Field(
        0, ge=0, le=3650, description="Age, in days, at which the gateway's identity key is replaced. 0: never."
    )
    database_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="Age, in days, at which the services' PostgreSQL passwords are replaced. 0: never.",
    )
    mongodb_days: int = Field(
        0, ge=0, le=3650, description="Age, in days, at which course-service's MongoDB password is replaced. 0: never."
    )
    redis_days: int = Field(
        0, ge=0, le=3650, description="Age, in days, at which the embedded Redis's password is replaced. 0: never."
    )


class Limits(Model):
    """How many requests pass, counted over all pods of the gateway."""

    default_per_minute: int = Field(
        600, ge=1, le=10_000_000, description="Requests of one user, a minute, to ordinary routes."
    )
    public_per_minute: int = Field(
        600, ge=1, le=10_000_000, description="Requests of one address, a minute, by those who are not logged in."
    )
    login_per_minute: int = Field(
        120, ge=1, le=10_000_000, description="Attempts of one address, a minute, to register or log in."
    )
    heavy_per_minute: int = Field(
        60,
        ge=1,
        le=10_000_000,
        description="Requests of one user, a minute, to routes that cost much: uploads, printing.",
    )


class Seed(Model):
    """Data to begin with. The administrator's account is always made."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.demo || (self.courses == 0 && self.learners == 0)",
                "demo must be true when courses or learners are asked for: a demo instructor writes the courses",
            )
        )
    )

    demo: bool = Field(False, description="Add demo instructors, students and courses. Default: false.")
    courses: int = Field(
        0, ge=0, le=1_000_000, description="Add made-up courses up to this number, for load tests. Default: none."
    )
    learners: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Add made-up students up to this number, enrolled in three of the made-up courses each; none of "
        "them can log in. Default: none.",
    )


class Email(Model):
    """Mail to people."""

    smtp_secret_name: SecretName | None = Field(
        None,
        description="A Secret here with the key `url`: smtp://user:password@host:587, or smtps://. Unset means "
        "`<name>-smtp`; if there is none, no mail is sent.",
    )
    sender: str = Field(
        "SmartCourse <no-reply@smartcourse.example>",
        alias="from",
        pattern=SENDER,
        max_length=320,
        description="The mails' sender: an address, or `Name <address>`.",
    )


class Push(Model):
    """Push messages to browsers (Web Push)."""

    subject: str = Field(
        "mailto:admin@smartcourse.example",
        pattern=CONTACT,
        max_length=512,
        description="Whom a push service may write to about the messages: mailto: or https:.",
    )
    secret_name: SecretName | None = Field(
        None,
        description="A Secret with `private-key` (P-256, 32 bytes in base64url); unset means the operator generates "
        "`<name>-push`. Another key makes all subscriptions void.",
    )


class Events(Model):
    """What events go through from service to service."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.broker != 'kafka' || has(self.kafkaSecretName)", "kafkaSecretName is required when broker is kafka"),
            ("self.broker == 'kafka' || !has(self.kafkaSecretName)", "kafkaSecretName is for broker kafka only"),
        )
    )

    broker: Broker = Field(Broker.REDIS, description="redis: the platform's own. kafka: see kafkaSecretName.")
    kafka_secret_name: SecretName | None = Field(
        None,
        description="For broker kafka: a Secret here with `bootstrap-servers`, and if the brokers ask for them "
        "`username`, `password` and `ca.crt`; `security` (plaintext, ssl, sasl_plaintext, sasl_ssl) and "
        "`sasl-mechanism` where they are not to be concluded.",
    )


class UpdateStrategy(Model):
    """How a new release takes over."""

    rollback_minutes: int = Field(
        60,
        ge=0,
        le=43_200,
        description="How long, in minutes after a new release serves, one can go back by setting `version` to the one "
        "before. Then what only that one needs is removed from the schema.",
    )
    backup: bool = Field(
        True,
        description="Make a backup before that removal, which cannot be undone; it waits for it, and for spec.backup "
        "to be set.",
    )


class Monitoring(Model):
    """Metrics and traces for those who run the platform."""

    service_monitors: bool = Field(
        False, description="Make a ServiceMonitor for each service and the gateway, for the Prometheus Operator."
    )
    service_monitor_labels: dict[str, str] | None = Field(
        None,
        description="Labels by which a Prometheus chooses its ServiceMonitors, for example `release: prometheus`.",
        max_length=16,
        json_schema_extra=cel(
            (
                "self.all(key, !key.startsWith('app.kubernetes.io/') && !key.startsWith('smartcourse.io/'))",
                "labels of app.kubernetes.io and smartcourse.io are the operator's own",
            )
        ),
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=URL,
        max_length=512,
        description="OTLP/HTTP collector that traces are sent to, for example http://collector.observability:4318.",
    )


class Images(Model):
    """Image references that override the release's."""

    gateway: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of the gateway.")
    user: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of user-service.")
    course: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of course-service.")
    notification: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of notification-service.")
    postgres: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of PostgreSQL.")
    mongodb: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of the MongoDB server.")
    redis: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of Redis.")
    backup: str | None = Field(None, pattern=IMAGE, max_length=512, description="Image of the backups' Jobs.")


class SmartCourseSpec(Model):
    """What is wanted. Everything has a default: `spec: {}` is valid and good."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.rotation.jwtDays == 0 || self.rotation.jwtDays > self.auth.refreshTokenDays",
                "rotation.jwtDays must be longer than auth.refreshTokenDays: the old key is kept that long",
            ),
            (
                "!has(self.auth.secretName) || (self.rotation.jwtDays == 0 && self.rotation.identityDays == 0)",
                "rotation.jwtDays and rotation.identityDays are for generated keys: auth.secretName names yours",
            ),
            (
                "self.databases.redis.mode != 'external' || self.rotation.redisDays == 0",
                "rotation.redisDays is for the embedded Redis: the password of an external one is yours to replace",
            ),
        )
    )

    version: str | None = Field(
        None,
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$",
        max_length=32,
        description="Release to run; unset means the newest that the operator knew when the resource was created.",
    )
    databases: Databases = Field(default_factory=Databases, description="Where the data lives.")
    replicas: int = Field(
        1,
        le=100,
        json_schema_extra=cel(
            ("self >= 1", "replicas must be at least 1: spec.hibernated stops everything and keeps the data")
        ),
        description="Number of pods of the gateway and of each service that has no `replicas` or `autoscaling` of its "
        "own; `kubectl scale` sets it. Default: 1.",
    )
    services: Services = Field(default_factory=Services, description="SmartCourse's own programs.")
    route: Route = Field(default_factory=Route, description="How requests reach the gateway.")
    auth: Auth = Field(default_factory=Auth, description="Lifetimes and names in tokens, and their keys.")
    rotation: Rotation = Field(default_factory=Rotation, description="How often generated secrets are replaced.")
    limits: Limits = Field(default_factory=Limits, description="How many requests pass.")
    seed: Seed = Field(default_factory=Seed, description="Data to begin with.")
    email: Email = Field(default_factory=Email, description="Mail to people.")
    push: Push = Field(default_factory=Push, description="Push messages to browsers.")
    events: Events = Field(default_factory=Events, description="What events go through.")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="Metrics and traces.")
    backup: Backup | None = Field(
        None, description="Backups: when, how many, and where to. `{}` is good; unset means that none can be made."
    )
    images: Images = Field(default_factory=Images, description="Image references that override the release's.")
    update_strategy: UpdateStrategy = Field(default_factory=UpdateStrategy, description="How a new release takes over.")
    deletion_policy: DeletionPolicy = Field(
        DeletionPolicy.RETAIN,
        description="When the resource is deleted: Retain keeps volumes, Secrets and backups, Delete removes them too; "
        "what is in a bucket stays.",
    )
    maintenance: bool = Field(
        False,
        description="While true the API can be read only: the gateway answers everything else 503 with Retry-After. In "
        "force once ServicesReady is true for this generation.",
    )
    paused: bool = Field(False, description="While true the operator changes nothing.")
    hibernated: bool = Field(
        False,
        description="While true nothing runs, databases included; volumes, Secrets and the route are kept. Nothing is "
        "backed up, upgraded or rotated until it is false again.",
    )

    def replicas_of(self, service: Service) -> int:
        """Return how many pods a service has that no autoscaler decides of."""
        return service.replicas or self.replicas
