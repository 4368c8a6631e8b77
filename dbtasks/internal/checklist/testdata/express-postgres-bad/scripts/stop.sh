#!/bin/sh
# kill -9 in a comment is fine
echo "pkill node"
kill -9 $(lsof -t -i:3000)
