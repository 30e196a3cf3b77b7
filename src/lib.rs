//! auditlake: a SQL analytics engine for OCSF audit logs.
//!
//! Layers; a module uses those below it, never beside or above it (`tests/it/house.rs` checks it):
//!
//! ```text
//! 6  main, cli                                parse, run, print
//! 5  config                                   all options
//! 4  report, repl, serve                      a .sql file becomes evidence; the shell; the audit-log endpoint
//! 3  ingest, sql, jobs                        lines into the lake; SQL over one state of it; schedules
//! 2  source, decode, redact, lake, render     bytes, rows, secrets, Parquet and ledger, text
//! 1  schema, gen                              OCSF becomes Arrow; synthetic entries
//! 0  error, clock, failpoint, disk, typed,    trouble; time; where tests kill us; files that are there whole or not at
//!    signing                                  all; values as people write and read them; who can prove what he wrote
//! ```
//!
//! Modules of many files have rooms, which their `mod.rs` draws from above to below: `lake` (keeping, writing, reading,
//! tables, ledger, parquet, fingerprints, files, identity), `sql` (conventions, event, facts, tables, engine, error,
//! functions, dialect), `report` (folder, output, runs, evidence, catalog) and `cli` (report, shell, intake, keeping,
//! trust, access, terminal). Files of one folder import each other in no circle but those that the house test lists.
//!
//! Six paths:
//!
//! ```text
//! line -> row:        Source::next -> Decoder::push, flush -> Policy::apply -> Writer::commit
//!                     rows, rejects and the source's position enter the ledger in one entry
//! API -> row:         Plan: window -> Client: page -> Decoder -> Policy -> Writer::commit, with window and cursor
//! SQL -> screen:      Lake at one entry -> Session::query -> tables, or facts of them (sql/facts) -> Rows -> Renderer
//! page -> client:     serve::answer (key, gates, rate) -> row groups around a position -> entries -> log of the read
//! report -> result:   header -> typed Params -> Session::ordered (the same door) -> Outcome -> Renderer
//! lake -> smaller:    lake::keeping: compact, retain, erase -> one entry that names what goes and what comes
//! ```
//!
//! It runs on Unix, Linux and macOS: locks, modes, signals, and folders that change places in one step are theirs.
//!
//! What must hold across them: every line read is a row, a duplicate, a revision, a reject, blank, or outside retention
//! (`lake::Counts::check`); rows that are rewritten keep their digest (`lake-format.md`, section 5); a batch is visible
//! in all tables or in none (`lake::Writer`); no secret reaches the disk (`redact` runs before the lake sees a row).

pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
pub mod disk;
pub mod error;
pub mod failpoint;
pub mod r#gen;
pub mod ingest;
pub mod jobs;
pub mod lake;
pub mod redact;
pub mod render;
pub mod repl;
pub mod report;
pub mod schema;
pub mod serve;
pub mod signing;
pub mod source;
pub mod sql;
pub mod typed;
