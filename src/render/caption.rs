//! Captions of enumerations beside their ids: `activity_id | 1  Logon`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::schema::Ocsf;

/// The captions that apply to a result.
#[derive(Debug, Clone)]
pub struct Captions {
    ocsf: Arc<Ocsf>,
    /// The classes that the statement names; all classes when it names none.
    classes: Vec<String>,
}

impl Captions {
    pub fn new(ocsf: Arc<Ocsf>, classes: Vec<String>) -> Captions {
        Captions { ocsf, classes }
    }

    /// Returns the caption of `id` at a dotted path, list positions included.
    ///
    /// The row's own `class_uid` decides when it is known. Otherwise the classes that the statement names must agree:
    /// one id has other meanings in other classes.
    pub(super) fn of(&self, path: &str, class_uid: Option<i64>, id: i64) -> Option<String> {
        let path = without_places(path);
        if let Some(class) = class_uid.and_then(|uid| self.ocsf.by_uid(uid)) {
            return class.caption_of(&path, id).map(str::to_owned);
        }
        let is_named = |name: &str| self.classes.is_empty() || self.classes.iter().any(|known| known == name);
        let classes = self.ocsf.classes().iter().filter(|class| is_named(&class.name));
        let found: BTreeSet<&str> = classes.filter_map(|class| class.caption_of(&path, id)).collect();
        let mut found = found.into_iter();
        found.next().filter(|_| found.next().is_none()).map(str::to_owned)
    }
}

/// Removes list positions: `resources[2].type_id` becomes `resources.type_id`.
fn without_places(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut is_inside = false;
    for c in path.chars() {
        match c {
            '[' => is_inside = true,
            ']' => is_inside = false,
            c if !is_inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_row_decides() {
        let ocsf = Arc::new(Ocsf::load(None).unwrap());
        let all = Captions::new(ocsf.clone(), Vec::new());
        assert_eq!(all.of("activity_id", Some(3002), 1).as_deref(), Some("Logon"));
        assert_eq!(all.of("activity_id", None, 1), None, "the classes do not agree");
        assert_eq!(all.of("status_id", None, 2).as_deref(), Some("Failure"));
        let one = Captions::new(ocsf, vec!["user_access".to_owned()]);
        assert_eq!(one.of("activity_id", None, 1).as_deref(), Some("Assign Privileges"));
        assert_eq!(without_places("resources[12].owner.type_id"), "resources.owner.type_id");
    }
}
