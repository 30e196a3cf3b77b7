//! The program as its users see it: one binary, a file per command.
//!
//! Faults that one module can have alone are tested under that module; these tests cover what only the wiring can break.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod access;
mod anchor;
mod archive;
mod bad_input;
mod compact;
mod configuration;
mod connect;
mod corpus;
mod demo;
mod dialect;
mod docs;
mod env;
mod evidence;
mod facts;
mod forging;
mod generate;
mod hostile;
mod house;
mod identity;
mod ingest;
mod interrupt;
mod keeping;
mod kill;
mod lossless;
mod memory;
mod own_texts;
mod pages;
mod parallel;
mod plans;
mod points;
mod pull;
mod readme;
mod redact;
mod reject;
mod report;
mod results;
mod retain;
mod schedule;
mod schema;
mod screen;
mod secrets;
mod serve;
mod shell;
mod slt;
mod soundness;
mod sources;
mod sql;
mod status;
mod terminal;
mod trust;
mod typed;
mod whole;
