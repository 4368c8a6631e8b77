package pgserver

// FromNPM is tried on machines that have a PostgreSQL of their own as well.
var FromNPM = fromNPM
