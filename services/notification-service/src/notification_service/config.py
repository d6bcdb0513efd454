"""Configuration of notification-service, from the environment (see `.env.example`)."""

from shared.config.settings import DatabaseSettings, RedisSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings, RedisSettings):
    """All of it; what has no default must be given."""

    service_name: str = "notification-service"
