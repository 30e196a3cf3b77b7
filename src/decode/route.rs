//! Which class a line belongs to, found before any column is touched: keys come in any order.

use std::borrow::Cow;
use std::sync::Arc;

use simd_json::{Node, StaticNode};

use super::json::{key, span};
use super::number::Floats;
use super::reject::{BAD_CLASS_UID, BAD_TIME, MISSING_CLASS_UID, MISSING_TIME, NOT_AN_OBJECT, Reject};
use super::time::{Doubt, Times};
use crate::schema::{EventClass, Ocsf};

/// The facts about a line that must be known before its columns are filled.
pub(super) struct Route<'t> {
    pub(super) class: Arc<EventClass>,
    /// `class_name` or `category_uid` say that the number meant another class when the event was written.
    pub(super) is_foreign: bool,
    pub(super) doubt: Doubt,
    pub(super) uid: Uid<'t>,
}

/// The id that the event's logging system gave it: `metadata.uid`, else `id`.
pub(super) enum Uid<'t> {
    Absent,
    /// Trimmed; an integer as its digits.
    Text(Cow<'t, str>),
    /// Something is there that is neither text nor an integer.
    Unusable,
}

impl<'t> Uid<'t> {
    fn of(nodes: &[Node<'t>], at: Option<usize>) -> Uid<'t> {
        match at.map(|at| nodes[at]) {
            None | Some(Node::Static(StaticNode::Null)) => Uid::Absent,
            Some(Node::String(text)) if text.trim().is_empty() => Uid::Absent,
            Some(Node::String(text)) => Uid::Text(Cow::Borrowed(text.trim())),
            Some(Node::Static(StaticNode::I64(number))) => Uid::Text(Cow::Owned(number.to_string())),
            Some(Node::Static(StaticNode::U64(number))) => Uid::Text(Cow::Owned(number.to_string())),
            Some(_) => Uid::Unusable,
        }
    }

    /// This one, unless the other one is of more use.
    fn or(self, other: Uid<'t>) -> Uid<'t> {
        match (&self, &other) {
            (Uid::Text(_), _) | (_, Uid::Absent) => self,
            _ => other,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Uid::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_unusable(&self) -> bool {
        matches!(self, Uid::Unusable)
    }
}

/// Finds class, time and uid of the object that `nodes` holds.
pub(super) fn route<'t>(
    nodes: &[Node<'t>],
    floats: &Floats<'_>,
    ocsf: &Ocsf,
    times: Times,
) -> Result<Route<'t>, Reject> {
    let Some(Node::Object { .. }) = nodes.first() else {
        return Err(Reject::new(NOT_AN_OBJECT, "not a JSON object"));
    };
    let (mut class_uid, mut time, mut class_name, mut category_uid) = (None, None, None, None);
    let (mut uid, mut id) = (None, None);
    for (name, at) in members(nodes, 0) {
        match name {
            "class_uid" => class_uid = Some(at),
            "time" => time = Some(at),
            "class_name" => class_name = text(nodes, at),
            "category_uid" => category_uid = integer(nodes, at, floats),
            "metadata" => uid = members(nodes, at).find(|member| member.0 == "uid").map(|(_, at)| at),
            "id" => id = Some(at),
            _ => {}
        }
    }

    let present = |at: &usize| !matches!(nodes[*at], Node::Static(StaticNode::Null));
    let class_uid = class_uid.filter(present).ok_or_else(|| Reject::new(MISSING_CLASS_UID, "no `class_uid`"))?;
    let class_uid = integer(nodes, class_uid, floats)
        .ok_or_else(|| Reject::new(BAD_CLASS_UID, "`class_uid` is not an integer of 64 bits"))?;
    let time = time.filter(present).ok_or_else(|| Reject::new(MISSING_TIME, "no `time`"))?;
    let time =
        integer(nodes, time, floats).ok_or_else(|| Reject::new(BAD_TIME, "`time` is not an integer of 64 bits"))?;
    let doubt = times.judge(time)?;

    let known = ocsf.by_uid(class_uid);
    let is_foreign = known.is_some_and(|class| contradicts(class, class_name, category_uid));
    let class = known.filter(|_| !is_foreign).unwrap_or(ocsf.other());
    let uid = Uid::of(nodes, uid).or(Uid::of(nodes, id));
    Ok(Route { class: Arc::clone(class), is_foreign, doubt, uid })
}

/// Producers write the class's caption, some its name, some nothing (the audit-log API's default); only another name
/// speaks of another class.
pub(super) fn contradicts(class: &EventClass, class_name: Option<&str>, category_uid: Option<i64>) -> bool {
    let is_other_name = |name: &str| {
        let name = name.trim();
        !name.is_empty() && !name.eq_ignore_ascii_case(&class.caption) && name != class.name
    };
    class_name.is_some_and(is_other_name)
        || category_uid.is_some_and(|uid| class.category_uid.is_some_and(|ours| ours != uid))
}

/// Keys of the object at `at`, each with the place of its value; nothing when it is not an object.
fn members<'a, 't>(nodes: &'a [Node<'t>], at: usize) -> impl Iterator<Item = (&'t str, usize)> + use<'a, 't> {
    let len = match nodes[at] {
        Node::Object { len, .. } => len,
        _ => 0,
    };
    let mut next = at + 1;
    (0..len).map(move |_| {
        let (name, value) = (key(nodes, next), next + 1);
        next = value + span(nodes, value);
        (name, value)
    })
}

fn text<'t>(nodes: &[Node<'t>], at: usize) -> Option<&'t str> {
    match nodes[at] {
        Node::String(text) => Some(text),
        _ => None,
    }
}

fn integer(nodes: &[Node<'_>], at: usize, floats: &Floats<'_>) -> Option<i64> {
    match nodes[at] {
        Node::Static(value) => floats.integer(at, value),
        _ => None,
    }
}
