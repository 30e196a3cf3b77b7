//! Rules as they are shown to anyone who asks which are in force.

use super::rules::{How, Rule, Rules};

/// One rule, in words.
#[derive(Debug)]
pub struct About {
    pub name: String,
    pub kind: String,
    /// The field by which the rule recognises secrets: `names`, `shape`, `begins` ...
    pub finds_by: &'static str,
    pub looks_for: String,
    pub is_enabled: bool,
    /// Whether the user wrote it.
    pub is_own: bool,
    /// Where it was written.
    pub origin: String,
}

impl Rules {
    /// All rules, those that are switched off included, in the order in which they were read.
    pub fn about(&self) -> Vec<About> {
        self.rules.iter().map(about).collect()
    }
}

fn about(rule: &Rule) -> About {
    let (finds_by, looks_for) = match &rule.how {
        Some(How::Name(named)) => ("names", named.names.join(", ")),
        Some(How::Shape(shape)) => ("shape", shape.pattern.clone()),
        Some(How::Begins(begins)) => ("begins", begins.begins.join(", ")),
        Some(How::Segment { words, .. }) => ("segments", words.join(", ")),
        Some(How::Flag { flags, .. }) => ("flags", flags.join(", ")),
        Some(How::Userinfo) => ("userinfo", "passwords before the host of a URL".to_owned()),
        Some(How::Parameters) => ("parameters", "long random parts of a URL".to_owned()),
        Some(How::Behind) => ("behind", "text right behind a placeholder".to_owned()),
        Some(How::Packed) => ("packed", "base64 that holds a secret".to_owned()),
        Some(How::Member) => ("member", "private members of a JSON Web Key".to_owned()),
        None => ("nothing", String::new()),
    };
    let Rule { name, kind, is_enabled, is_own, position, .. } = rule.clone();
    About { name, kind, finds_by, looks_for, is_enabled, is_own, origin: position }
}
