package plainfile

// doNotWait has no meaning on Windows: a pipe has no name in a folder there.
const doNotWait = 0
