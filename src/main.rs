//! Parses, runs, prints the error, returns the exit code.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    auditlake::cli::run(std::env::args_os()).into()
}
