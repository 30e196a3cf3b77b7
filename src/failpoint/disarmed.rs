//! A release: nothing can be armed, and nothing is reached.

use crate::error::Result;

pub fn arm(_: impl FnOnce() -> Option<String>) -> Result<()> {
    Ok(())
}

#[inline(always)]
pub fn reached(_: &'static str) {}

#[inline(always)]
pub fn is_unlocked() -> bool {
    false
}
