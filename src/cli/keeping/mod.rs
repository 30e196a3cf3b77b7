//! Commands that keep a lake small, forget, and copy it.

pub(super) mod archive;
pub(super) mod backup;
pub(super) mod compact;
pub(super) mod erase;
pub(super) mod hold;
pub(super) mod receipt;
pub(super) mod retain;
