//! The `tandem` program: the agent, its worker and the command line in one binary.

use std::process::ExitCode;

use tandem::sandbox::launch;

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(argument) if argument == "worker" => return tandem::agent::worker::main(),
        Some(argument) if argument == tandem::charts::ARGUMENT => return tandem::charts::main(),
        Some(argument) if argument == launch::ARGUMENT => return launch::main(std::env::args_os().skip(2)),
        _ => {}
    }
    tandem::cli::main()
}
