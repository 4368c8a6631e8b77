package pgserver

// NPMVersion is tried on machines that have a PostgreSQL of their own as well.
const NPMVersion = npmVersion
