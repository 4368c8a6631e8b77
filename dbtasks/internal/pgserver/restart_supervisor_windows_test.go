package pgserver_test

func removeSupervisors() {}
