# showq
