//! Several runs side by side: the summary of a run over many reports, its meaning for controls, and how two runs differ.

pub(super) mod attestation;
pub(super) mod controls;
pub(super) mod diff;
pub(super) mod metrics;
pub(super) mod select;
pub(super) mod summary;
