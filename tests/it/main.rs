//! The program as its users see it: one binary, a file per command.
//!
//! What one module can get wrong alone is tested under that module; here stands what only the wiring can break.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod connect;
mod demo;
mod env;
mod generate;
mod house;
mod ingest;
mod kill;
mod lossless;
mod parallel;
mod readme;
mod report;
mod schema;
mod serve;
mod shell;
mod soundness;
mod sql;
mod status;
