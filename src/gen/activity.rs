//! The vendor's 130 event names, each with the OCSF class and activity it is written as.
//!
//! The names are the vendor's; the classes and activities that they belong to are our reading, because the vendor does
//! not say. A few names stand for several activities and have several rows. `weight` is how often a row is drawn among
//! people's activities, without a unit.

use serde::Deserialize;

/// OCSF class uids.
pub const ACCOUNT: u16 = 3001;
pub const LOGIN: u16 = 3002;
pub const ENTITY: u16 = 3004;
pub const ACCESS: u16 = 3005;
pub const GROUP: u16 = 3006;

pub fn class_name(class_uid: u16) -> &'static str {
    match class_uid {
        ACCOUNT => "Account Change",
        LOGIN => "Authentication",
        ENTITY => "Entity Management",
        ACCESS => "User Access Management",
        _ => "Group Management",
    }
}

/// The target of an activity, which decides the part of the workspace's state that it reads and changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Target {
    Logon,
    /// An authentication step that is not a logon.
    Step,
    /// The actor's own account.
    Own,
    Other,
    Hire,
    Leave,
    HireService,
    LeaveService,
    ServiceAccount,
    Enroll,
    Unenroll,
    Policy,
    OwnKey,
    ServiceKey,
    /// An entity of the kind the row names.
    Entity,
    /// Any entity that can be shared.
    Resource,
    Role,
    Share,
    Unshare,
    Group,
    Member,
    GroupRight,
    Subgroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum By {
    Anyone,
    Admin,
    Scim,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    pub name: &'static str,
    pub class_uid: u16,
    pub id: u16,
    pub weight: u32,
    pub target: Target,
    pub by: By,
    /// `entity.type` where the target is an entity.
    #[serde(default)]
    pub kind: &'static str,
    pub method: Method,
    /// `{e}` entity, `{u}` subject, `{g}` group, `{o}` owner of the key.
    pub path: &'static str,
    /// The sentence about the actor; `{E}` entity, `{S}` subject, `{G}` group, `{P}` privileges.
    pub message: &'static str,
}
