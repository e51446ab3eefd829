"""Networks known by what they compute: a traced graph of operations, read into a program and made ready for int8."""
