//! Folders of evidence: produced, verified, attested, listed in a manifest, and packed.

pub(super) mod attest;
pub(super) mod manifest;
pub(super) mod pack;
pub(super) mod produce;
pub(super) mod verify;
