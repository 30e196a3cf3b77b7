//! Several runs side by side: what a run over many reports did, what that says of controls, and how two runs differ.

pub(super) mod attestation;
pub(super) mod controls;
pub(super) mod diff;
pub(super) mod metrics;
pub(super) mod select;
pub(super) mod summary;
