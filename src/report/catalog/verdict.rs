//! `[verdict]` in a report's head: what a verdict may claim, as data (C18).
//!
//! The catalogue says for each report which events it needs and what they must carry, how far it looks back, and which
//! input it cannot do without. This module reads and checks that.

use serde::{Deserialize, Serialize};

use super::header::{InOrder, Parameter, ParameterType};
use crate::sql::Conventions;

/// The data that a verdict of the report rests on (C18). Whether the report judges is
/// [`Expectation`](super::super::Expectation).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictRule {
    /// Events and what each must carry, the most important first.
    pub needs: Vec<Need>,
    /// The parameter, days or a duration, that says how far before the period the report looks.
    pub look_back: Option<String>,
    /// Whether the report compares with the state at `from`: without any event before it, everything would be new.
    pub compares_at_from: bool,
    /// Inputs by name, each with what cannot be said without it: an [`Element`], or another word.
    pub input: Vec<(String, String)>,
}

/// Events of some classes, and what each must carry for the report to see anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The events as the head writes them: `3002/1 successful`.
    pub events: String,
    /// Class numbers, each with the activities that are meant; an empty list means all.
    pub classes: Vec<(i64, Vec<i64>)>,
    /// Only events with status 1.
    pub is_successful: bool,
    pub elements: Vec<Element>,
}

/// A piece of information that an event carries or lacks, as C18 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    Subject,
    Actor,
    Outcome,
    Privileges,
    Group,
    Object,
    Address,
    Place,
    Mfa,
    Session,
}

/// The table as TOML writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::report) struct VerdictHead {
    pub(in crate::report) judges: bool,
    #[serde(default)]
    needs: Vec<NeedHead>,
    look_back: Option<String>,
    #[serde(default)]
    compares_at_from: bool,
    #[serde(default)]
    input: InOrder<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NeedHead {
    events: String,
    elements: Vec<Element>,
}

impl VerdictHead {
    /// Checks the head against the report's parameters and the inputs that exist.
    pub(in crate::report) fn rule(
        self,
        parameters: &[Parameter],
        conventions: &Conventions,
    ) -> Result<VerdictRule, String> {
        let ty = |name: &str| parameters.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.ty);
        if let Some(name) = &self.look_back
            && !matches!(ty(name), Some(ParameterType::Int | ParameterType::Duration))
        {
            return Err(format!("the verdict looks back by `{name}`, which is no parameter of days or a duration"));
        }
        if self.compares_at_from && ty("from") != Some(ParameterType::Timestamp) {
            return Err("the verdict compares with the state at `from`, which is no parameter".to_string());
        }
        let input: Vec<(String, String)> =
            self.input.0.into_iter().map(|(name, what)| (name.into_inner(), what)).collect();
        if let Some((name, _)) = input.iter().find(|(name, _)| !conventions.is_input(name)) {
            return Err(format!("the verdict names the input `{name}`, which there is not"));
        }
        let needs: Result<Vec<Need>, String> = self.needs.into_iter().map(NeedHead::need).collect();
        Ok(VerdictRule { needs: needs?, look_back: self.look_back, compares_at_from: self.compares_at_from, input })
    }
}

impl NeedHead {
    /// Reads `3001`, `3001,3004`, `3006/3,4` or `3002/1 successful`: numbers after a `/` are activities of that class.
    fn need(self) -> Result<Need, String> {
        let wrong = || format!("`{}` is no class, classes, or class/activities", self.events);
        let (numbers, is_successful) = match self.events.split_once(' ') {
            Some((numbers, "successful")) => (numbers, true),
            Some(_) => return Err(wrong()),
            None => (self.events.as_str(), false),
        };
        let read = |text: &str| -> Result<Vec<i64>, String> {
            text.split(',').map(|number| number.parse().map_err(|_| wrong())).collect()
        };
        let classes = match numbers.split_once('/') {
            Some((class, activities)) => vec![(class.parse().map_err(|_| wrong())?, read(activities)?)],
            None => read(numbers)?.into_iter().map(|class| (class, Vec::new())).collect(),
        };
        if self.elements.is_empty() {
            return Err(format!("`{}` names no element that its events must tell", self.events));
        }
        Ok(Need { classes, is_successful, elements: self.elements, events: self.events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::catalog::header::{Expectation, Report};

    const SMALL: &str = "--- report\n-- id = \"x\"\n-- title = \"X\"\n-- question = \"?\"\n-- kind = \"detection\"\n\
        -- order = \"a\"\n-- [parameters]\n-- z = { type = \"int\", default = 3 }\n-- a = { type = \"list<string>\" }\n\
        -- [columns]\n-- b = \"string\"\n---\nselect 1\n";

    #[test]
    fn verdict_is_read_and_checked() {
        let with = |verdict: &str| {
            let head = SMALL.replace("-- [parameters]", &format!("-- [verdict]\n{verdict}-- [parameters]"));
            Report::parse("x.sql", &head, &Conventions::default())
        };
        let report = with(
            "-- judges = true\n-- look_back = \"z\"\n\
             -- needs = [{ events = \"3002/1,2 successful\", elements = [\"subject\", \"mfa\"] }]\n",
        )
        .unwrap();
        assert_eq!(report.expectation, Expectation::NoRows);
        assert_eq!(report.verdict.look_back.as_deref(), Some("z"));
        let need = &report.verdict.needs[0];
        assert_eq!((&need.classes, need.is_successful), (&vec![(3002, vec![1, 2])], true));
        assert_eq!(need.elements, [Element::Subject, Element::Mfa]);

        let wrong = |verdict: &str| with(verdict).unwrap_err().message().to_string();
        let at = "cannot read report x.sql, line 7: ";
        let judges = |rest: &str| wrong(&format!("-- judges = true\n{rest}\n"));
        assert_eq!(
            judges("-- look_back = \"a\""),
            format!("{at}the verdict looks back by `a`, which is no parameter of days or a duration")
        );
        assert_eq!(
            judges("-- compares_at_from = true"),
            format!("{at}the verdict compares with the state at `from`, which is no parameter")
        );
        assert_eq!(
            judges("-- input = { x = \"lag\" }"),
            format!("{at}the verdict names the input `x`, which there is not")
        );
        for events in ["", "logons", "3002/", "3002/1/2", "3002 failed"] {
            let need = format!("-- needs = [{{ events = \"{events}\", elements = [\"actor\"] }}]");
            assert_eq!(judges(&need), format!("{at}`{events}` is no class, classes, or class/activities"));
        }
        let empty = judges("-- needs = [{ events = \"3002\", elements = [] }]");
        assert_eq!(empty, format!("{at}`3002` names no element that its events must tell"));
        assert!(
            judges("-- needs = [{ events = \"3002\", elements = [\"colour\"] }]").contains("unknown variant `colour`")
        );

        let both = SMALL.replace("-- order", "-- expectation = \"any\"\n-- order");
        let both = both.replace("-- [parameters]", "-- [verdict]\n-- judges = true\n-- [parameters]");
        let error = Report::parse("x.sql", &both, &Conventions::default()).unwrap_err();
        assert!(
            error.message().ends_with("`expectation` and `judges` of the verdict contradict each other"),
            "{error}"
        );
    }
}
