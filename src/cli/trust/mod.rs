//! Commands that check a lake, and what its entries and evidence are signed and anchored with.

pub(super) mod anchor;
pub(super) mod doctor;
pub(super) mod key;
pub(super) mod ledger;
pub(super) mod repair;
pub(super) mod signing;
pub(super) mod verify;
