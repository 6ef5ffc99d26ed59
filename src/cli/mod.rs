//! The command line: one file a command, output, exit codes.
