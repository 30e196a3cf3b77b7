//! "did you mean": the name that the user most likely meant.

/// The likeness from which on a name may be meant.
const ENOUGH: f64 = 0.8;
/// The likeness of two names that differ by one letter: added, left out, changed or exchanged.
const SLIP: f64 = 0.9;

/// Returns the name most like `wrong`, when it is like enough to be meant. Case does not count; the name itself is no help.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.into_iter().filter(|name| *name != wrong).map(|name| (likeness(wrong, name), name));
    scored.filter(|(score, _)| *score > ENOUGH).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Returns how alike two names are, from 0 to 1: letters in common count, a common beginning, and a single slip of the
/// finger in a name of three letters or more.
pub fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let is_slip = a.chars().count().min(b.chars().count()) >= 3 && strsim::osa_distance(&a, &b) <= 1;
    strsim::jaro_winkler(&a, &b).max(if is_slip { SLIP } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_corrected_and_strangers_are_not_proposed() {
        let names = ["authentication", "account_change", "user_access", "prod", "csv"];
        let meant = |wrong| nearest(wrong, names);
        assert_eq!(meant("authentification"), Some("authentication"));
        assert_eq!(meant("USER_ACCES"), Some("user_access"));
        assert_eq!(meant("prud"), Some("prod"));
        assert_eq!(meant("cvs"), Some("csv"));
        assert_eq!(meant("xqzw"), None);
        assert_eq!(meant(""), None);
    }

    #[test]
    fn nobody_is_asked_whether_he_meant_what_he_wrote() {
        assert_eq!(nearest("event", ["event"]), None);
        assert_eq!(nearest("event", ["event", "events"]), Some("events"));
        assert_eq!(nearest("Event", ["event"]), Some("event"));
    }
}
