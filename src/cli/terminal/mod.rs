//! Parts that all commands share: the screen, files, signals, the environment, and programs that are run.

pub(super) mod environment;
pub(super) mod files;
pub(super) mod hook;
pub(super) mod login;
pub(super) mod opening;
pub(super) mod output;
pub(super) mod rows;
pub(super) mod screen;
pub(super) mod secret;
pub(super) mod signal;
pub(super) mod signer;
pub(super) mod value;
