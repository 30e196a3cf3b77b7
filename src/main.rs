//! Parses, runs, prints the error, returns the exit code.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    auditlake::cli::run(std::env::args_os()).into()
}
