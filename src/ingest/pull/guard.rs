//! Detects a walk that does not end.

use std::collections::HashSet;

/// The limit of stale pages in a row, which mean that the server does not advance. A page may repeat earlier entries:
/// pages overlap when entries arrive meanwhile, or when an answer is sent twice.
const MAX_STALE: u32 = 10;
/// The limit of empty pages in a row: a server that looks for matches piece by piece may find none in many pieces.
const MAX_EMPTY: u32 = 1000;

/// The pages that one walk of one window has seen.
#[derive(Debug, Default)]
pub(super) struct Guard {
    cursors: HashSet<String>,
    /// Keyed hashes of entries.
    seen: HashSet<u128>,
    stale: u32,
    empty: u32,
}

impl Guard {
    pub fn new(cursor: Option<&String>) -> Guard {
        Guard { cursors: cursor.cloned().into_iter().collect(), ..Guard::default() }
    }

    /// Checks a page after it was added; the error says how the walk goes in circles.
    pub fn check(&mut self, has_more: bool, cursor: Option<&str>, digests: &[u128]) -> Result<(), String> {
        let mut is_new = false;
        for digest in digests {
            is_new |= self.seen.insert(*digest);
        }
        if !has_more {
            return Ok(());
        }
        let Some(cursor) = cursor else {
            return Err("a page says that there is more, and gives no cursor".to_string());
        };
        if !self.cursors.insert(cursor.to_string()) {
            return Err(format!("the server sent the cursor `{}` twice", shorten(cursor)));
        }
        match (is_new, digests.is_empty()) {
            (true, _) => (self.stale, self.empty) = (0, 0),
            (false, false) => self.stale += 1,
            (false, true) => self.empty += 1,
        }
        if self.stale >= MAX_STALE {
            return Err(format!("the server repeats the same page, last with the cursor `{}`", shorten(cursor)));
        }
        if self.empty >= MAX_EMPTY {
            return Err(format!("{MAX_EMPTY} empty pages in a row, last with the cursor `{}`", shorten(cursor)));
        }
        Ok(())
    }
}

fn shorten(cursor: &str) -> String {
    const SHOWN: usize = 40;
    if cursor.chars().count() > SHOWN {
        cursor.chars().take(SHOWN).chain("...".chars()).collect()
    } else {
        cursor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_named() {
        let mut guard = Guard::new(Some(&"c0".to_string()));
        assert!(guard.check(true, None, &[1]).unwrap_err().contains("no cursor"));
        assert!(guard.check(true, Some("c0"), &[2]).unwrap_err().contains("the cursor `c0` twice"));
        guard.check(true, Some("c1"), &[3]).unwrap();
        assert!(guard.check(true, Some("c1"), &[4]).unwrap_err().contains("the cursor `c1` twice"));
    }

    #[test]
    fn a_page_may_repeat_but_not_for_ever() {
        let mut guard = Guard::default();
        let mut next = 0;
        let mut check = |digests: &[u128]| {
            next += 1;
            guard.check(true, Some(&next.to_string()), digests)
        };
        for round in 0..5 {
            check(&[round]).unwrap();
            (1..MAX_STALE).for_each(|_| check(&[round]).unwrap());
        }
        assert!(check(&[0, 1]).unwrap_err().contains("repeats the same page"));
    }

    #[test]
    fn empty_pages_end_too() {
        let mut guard = Guard::default();
        let ends = (0..2000).position(|n| guard.check(true, Some(&n.to_string()), &[]).is_err());
        assert_eq!(ends, Some(MAX_EMPTY as usize - 1));
    }
}
