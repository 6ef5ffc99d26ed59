//! The `tandem` program: the agent, its worker and the command line in one binary.

use std::process::ExitCode;

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "worker") {
        return tandem::agent::worker::main();
    }
    tandem::cli::main()
}
