// The user that course-service logs in as, for a MongoDB image that runs /docker-entrypoint-initdb.d on an empty volume.
//
// It is `python -m course_service.provision` written for mongosh, which Compose also runs each time: that works on every
// server and follows a changed password. A test keeps the two alike.
//
// Environment: COURSE_MONGODB_PASSWORD
db.getSiblingDB("admin").createUser({
  user: "course",
  pwd: process.env.COURSE_MONGODB_PASSWORD,
  roles: [{"role": "readWrite", "db": "smartcourse"}],
  mechanisms: ["SCRAM-SHA-256"],
});
