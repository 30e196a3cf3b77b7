//! Commands that check a lake, and the keys and anchors that vouch for its entries and evidence.

pub(super) mod anchor;
pub(super) mod doctor;
pub(super) mod key;
pub(super) mod ledger;
pub(super) mod repair;
pub(super) mod signing;
pub(super) mod verify;
