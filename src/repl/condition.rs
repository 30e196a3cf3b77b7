//! `\if`, `\elif`, `\else`, `\endif`: the conditions that decide which lines are run.

use super::settings::switch;
use crate::error::{Error, Result};

/// The conditions around the current line, the outermost first.
#[derive(Debug, Default)]
pub(super) struct Conditions(Vec<Level>);

#[derive(Debug)]
struct Level {
    state: State,
    is_after_else: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Lines are run.
    Taken,
    /// No branch was taken yet.
    Open,
    /// A branch was taken, or none will be.
    Closed,
}

impl Conditions {
    pub fn is_active(&self) -> bool {
        self.0.iter().all(|level| level.state == State::Taken)
    }

    pub fn depth(&self) -> usize {
        self.0.len()
    }

    pub fn truncate(&mut self, depth: usize) {
        self.0.truncate(depth);
    }

    pub fn begin(&mut self, condition: impl FnOnce() -> Result<String>) -> Result<()> {
        let state = match self.is_active() {
            false => State::Closed,
            true if is_true(&condition()?)? => State::Taken,
            true => State::Open,
        };
        self.0.push(Level { state, is_after_else: false });
        Ok(())
    }

    pub fn otherwise_if(&mut self, condition: impl FnOnce() -> Result<String>) -> Result<()> {
        let level = self.branch("\\elif")?;
        level.state = match level.state {
            State::Open if is_true(&condition()?)? => State::Taken,
            State::Open => State::Open,
            State::Taken | State::Closed => State::Closed,
        };
        Ok(())
    }

    pub fn otherwise(&mut self) -> Result<()> {
        let level = self.branch("\\else")?;
        level.is_after_else = true;
        level.state = if level.state == State::Open { State::Taken } else { State::Closed };
        Ok(())
    }

    pub fn end(&mut self) -> Result<()> {
        self.0.pop().map(|_| ()).ok_or_else(|| lonely("\\endif"))
    }

    fn branch(&mut self, name: &str) -> Result<&mut Level> {
        match self.0.last_mut() {
            None => Err(lonely(name)),
            Some(level) if level.is_after_else => Err(Error::usage(format!("`{name}` after `\\else`"))),
            Some(level) => Ok(level),
        }
    }
}

fn lonely(name: &str) -> Error {
    Error::usage(format!("`{name}` without `\\if`"))
}

fn is_true(text: &str) -> Result<bool> {
    switch(text.trim()).map_err(|_| {
        Error::usage(format!("`{text}` is neither true nor false"))
            .hint("compute conditions in SQL: `select count(*) > 0 as found from reject \\gset`, then `\\if :found`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_branch_of_each_condition_counts() {
        let mut conditions = Conditions::default();
        let yes = || Ok("on".to_owned());
        let no = || Ok("0".to_owned());
        assert!(conditions.is_active());
        conditions.begin(no).unwrap();
        conditions.begin(|| panic!("not looked at")).unwrap();
        conditions.otherwise().unwrap();
        assert!(!conditions.is_active());
        conditions.end().unwrap();
        conditions.otherwise_if(yes).unwrap();
        assert!(conditions.is_active());
        conditions.otherwise_if(|| panic!("not looked at")).unwrap();
        assert!(!conditions.is_active());
        conditions.otherwise().unwrap();
        assert!(!conditions.is_active());
        assert_eq!(conditions.otherwise().unwrap_err().message(), "`\\else` after `\\else`");
        conditions.end().unwrap();
        assert!(conditions.is_active());
        assert_eq!(conditions.end().unwrap_err().message(), "`\\endif` without `\\if`");
        assert!(conditions.begin(|| Ok("maybe".to_owned())).is_err());
        assert_eq!(conditions.depth(), 0);
    }
}
