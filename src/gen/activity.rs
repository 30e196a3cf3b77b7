//! The vendor's 130 event names, each with the OCSF class and activity it is written as.
//!
//! The names are the vendor's; that they belong to these classes and activities is our reading, because the
//! vendor does not say. A few names stand for several activities and have several rows. `weight` is how often a row
//! is drawn among what people do, in no unit.

use Method::{Delete, Get, Patch, Post, Put};
use Target::*;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            Get => "GET",
            Post => "POST",
            Put => "PUT",
            Patch => "PATCH",
            Delete => "DELETE",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Anyone,
    Admin,
    Scim,
}

#[derive(Debug)]
pub struct Activity {
    pub name: &'static str,
    pub class_uid: u16,
    pub id: u16,
    pub weight: u32,
    pub target: Target,
    pub by: By,
    /// `entity.type` where the target is an entity.
    pub kind: &'static str,
    pub method: Method,
    /// `{e}` entity, `{u}` subject, `{g}` group, `{o}` owner of the key.
    pub path: &'static str,
    /// The sentence about the actor; `{E}` entity, `{S}` subject, `{G}` group, `{P}` privileges.
    pub message: &'static str,
}

/// The row of a name and an activity id, both of which are in the table.
pub fn find(name: &str, id: u16) -> usize {
    ROWS.iter().position(|row| row.name == name && row.id == id).expect("the name and id of a row of the table")
}

#[rustfmt::skip]
#[expect(clippy::too_many_arguments, reason = "the columns of the table")]
const fn act(
    name: &'static str, class_uid: u16, id: u16, weight: u32, target: Target, by: By, kind: &'static str,
    method: Method, path: &'static str, message: &'static str,
) -> Activity {
    Activity { name, class_uid, id, weight, target, by, kind, method, path, message }
}

const ANY: By = By::Anyone;
const ADM: By = By::Admin;
const SCIM: By = By::Scim;

// One line per row, longer than the usual: it is a table.
#[rustfmt::skip]
pub static ROWS: &[Activity] = &[
    act("Logon", LOGIN, 1, 1100, Logon, ANY, "", Post, "/v1/auth/sign-in", "signed in"),
    act("Workspace Sign-In", LOGIN, 1, 400, Logon, ANY, "", Post, "/v1/workspace/sign-in", "signed in to the workspace"),
    act("Custom Auth Token Created", LOGIN, 3, 40, Step, ANY, "", Post, "/v1/auth/custom-token", "was issued a custom sign-in ticket"),
    act("Sign-In Request Approval", LOGIN, 6, 25, Step, ANY, "", Post, "/v1/auth/requests/approve", "approved a sign-in request from another device"),
    act("Sign-In Request Decline", LOGIN, 6, 8, Step, ANY, "", Post, "/v1/auth/requests/decline", "declined a sign-in request from another device"),
    act("Sensitive Action Verification", LOGIN, 99, 60, Step, ANY, "", Post, "/v1/auth/verify-action", "confirmed a sensitive action with a second factor"),

    act("User Creation", ACCOUNT, 1, 14, Hire, ADM, "", Post, "/v1/workspace/members", "created the account {S}"),
    act("SCIM User Creation", ACCOUNT, 1, 22, Hire, SCIM, "", Post, "/v1/scim/v2/Users", "provisioned the account {S}"),
    act("Workspace Member Removal", ACCOUNT, 6, 8, Leave, ADM, "", Delete, "/v1/workspace/members/{u}", "removed {S} from the workspace"),
    act("SCIM User Deletion", ACCOUNT, 6, 10, Leave, SCIM, "", Delete, "/v1/scim/v2/Users/{u}", "deprovisioned the account {S}"),
    act("User Self-Deletion", ACCOUNT, 6, 4, Leave, ANY, "", Delete, "/v1/user", "deleted the own account"),
    act("SCIM User Management", ACCOUNT, 5, 10, Leave, SCIM, "", Patch, "/v1/scim/v2/Users/{u}", "set active=false for {S}"),
    act("SCIM User Update", ACCOUNT, 99, 30, Other, SCIM, "", Put, "/v1/scim/v2/Users/{u}", "synchronised the attributes of {S}"),
    act("Account Security Change", ACCOUNT, 3, 45, Own, ANY, "", Post, "/v1/user/password", "changed the own password"),
    act("Account Security Change", ACCOUNT, 9, 0, Other, SCIM, "", Post, "/v1/auth/sign-in", "locked {S} after too many failed sign-ins"),
    act("Account Security Change", ACCOUNT, 12, 0, Other, ADM, "", Post, "/v1/workspace/members/{u}/unlock", "unlocked the account {S}"),
    act("Password Reset Email Request", ACCOUNT, 4, 30, Own, ANY, "", Post, "/v1/auth/password-reset", "asked for a password reset by e-mail"),
    act("Password Reset Link Generation", ACCOUNT, 4, 8, Other, ADM, "", Post, "/v1/workspace/members/{u}/password-reset-link", "generated a password reset link for {S}"),
    act("MFA Factor Enrollment", ACCOUNT, 10, 25, Enroll, ANY, "", Post, "/v1/user/mfa", "enrolled a second factor"),
    act("MFA Factor Enrollment Reverted (unverified)", ACCOUNT, 11, 3, Unenroll, ANY, "", Delete, "/v1/user/mfa/pending", "left a second factor unverified and it was reverted"),
    act("MFA Factor Removal", ACCOUNT, 11, 8, Unenroll, ANY, "", Delete, "/v1/user/mfa", "removed the second factor of {S}"),
    act("MFA Removal via Backup Code", ACCOUNT, 11, 4, Unenroll, ANY, "", Post, "/v1/auth/mfa/backup-code", "removed the second factor of {S} with a backup code"),
    act("Service Account Creation", ACCOUNT, 1, 8, HireService, ADM, "", Post, "/v1/service-accounts", "created the service account {S}"),
    act("Service Account Deletion", ACCOUNT, 6, 8, LeaveService, ADM, "", Delete, "/v1/service-accounts/{u}", "deleted the service account {S}"),
    act("Service Account Update", ACCOUNT, 99, 15, ServiceAccount, ADM, "", Patch, "/v1/service-accounts/{u}", "renamed or relabelled the service account {S}"),
    act("Service Account Management", ACCOUNT, 99, 20, ServiceAccount, ADM, "", Get, "/v1/service-accounts/{u}", "opened the settings of the service account {S}"),
    act("User Metadata Update", ACCOUNT, 99, 60, Own, ANY, "", Patch, "/v1/user/metadata", "updated the own profile"),
    act("User Sharing Preferences Update", ACCOUNT, 99, 20, Own, ANY, "", Patch, "/v1/user/sharing-preferences", "updated the own sharing preferences"),
    act("User Sharing Preferences Update (Admin)", ACCOUNT, 99, 8, Other, ADM, "", Patch, "/v1/workspace/members/{u}/sharing-preferences", "updated the sharing preferences of {S}"),
    act("In-App Term Acceptance", ACCOUNT, 99, 20, Own, ANY, "", Post, "/v1/user/terms", "accepted the terms of use"),
    act("Workspace Invitation Accepted", ACCOUNT, 2, 14, Own, ANY, "", Post, "/v1/workspace/invites/accept", "accepted the invitation to the workspace"),
    act("Workspace Member Usage Limit Update", ACCOUNT, 7, 14, Policy, ADM, "", Patch, "/v1/workspace/members/{u}/usage-limit", "set a usage limit for {S}"),
    act("Workspace Member Usage Limit Update", ACCOUNT, 8, 8, Policy, ADM, "", Delete, "/v1/workspace/members/{u}/usage-limit", "took the usage limit from {S}"),
    act("Architect Member Spend Limits Update", ACCOUNT, 7, 8, Policy, ADM, "", Patch, "/v1/workspace/members/{u}/spend-limit", "set a spend limit for {S}"),
    act("SCIM Provisioning Seat Type Updated", ACCOUNT, 7, 8, Policy, SCIM, "", Patch, "/v1/scim/v2/Users/{u}/seat", "set the seat type of {S}"),

    act("Resource Access Granted", ACCESS, 1, 330, Share, ANY, "", Post, "/v1/workspace/resources/{e}/share", "granted {S} {P} on {E}"),
    act("Resource Access Revoked", ACCESS, 2, 230, Unshare, ANY, "", Post, "/v1/workspace/resources/{e}/unshare", "revoked {P} on {E} from {S}"),
    act("Workspace Member Update", ACCESS, 1, 60, Role, ADM, "", Post, "/v1/workspace/members", "gave {S} the role {P}"),
    act("Workspace Member Update", ACCESS, 2, 40, Role, ADM, "", Post, "/v1/workspace/members", "took the role {P} from {S}"),
    act("Workspace Ownership Transfer", ACCESS, 1, 2, Role, ADM, "", Post, "/v1/workspace/transfer-ownership", "gave {S} the role {P}"),

    act("Group Creation", GROUP, 6, 10, Group, ADM, "", Post, "/v1/workspace/groups", "created the group {G}"),
    act("Group Deletion", GROUP, 5, 5, Group, ADM, "", Delete, "/v1/workspace/groups/{g}", "deleted the group {G}"),
    act("Group Update", GROUP, 9, 25, Group, ADM, "", Patch, "/v1/workspace/groups/{g}", "changed the group {G}"),
    act("Group to Billing Group Conversion", GROUP, 9, 3, Group, ADM, "", Post, "/v1/workspace/groups/{g}/billing", "made the group {G} a billing group"),
    act("Group Management", GROUP, 1, 20, GroupRight, ADM, "", Post, "/v1/workspace/groups/{g}/permissions", "gave the group {G} {P}"),
    act("Group Management", GROUP, 2, 14, GroupRight, ADM, "", Post, "/v1/workspace/groups/{g}/permissions/remove", "took {P} from the group {G}"),
    act("Group Management", GROUP, 7, 6, Subgroup, ADM, "", Post, "/v1/workspace/groups/{g}/subgroups", "nested a group in {G}"),
    act("Group Management", GROUP, 8, 5, Subgroup, ADM, "", Post, "/v1/workspace/groups/{g}/subgroups/remove", "took a nested group out of {G}"),
    act("Group Member Addition", GROUP, 3, 110, Member, ADM, "", Post, "/v1/workspace/groups/{g}/members", "added {S} to the group {G}"),
    act("Group Member Removal", GROUP, 4, 70, Member, ADM, "", Post, "/v1/workspace/groups/{g}/members/remove", "removed {S} from the group {G}"),
    act("SCIM Group Creation", GROUP, 6, 6, Group, SCIM, "", Post, "/v1/scim/v2/Groups", "provisioned the group {G}"),
    act("SCIM Group Deletion", GROUP, 5, 4, Group, SCIM, "", Delete, "/v1/scim/v2/Groups/{g}", "deprovisioned the group {G}"),
    act("SCIM Group Update", GROUP, 9, 20, Group, SCIM, "", Put, "/v1/scim/v2/Groups/{g}", "synchronised the group {G}"),
    act("SCIM Group Management", GROUP, 3, 30, Member, SCIM, "", Patch, "/v1/scim/v2/Groups/{g}", "added {S} to the group {G}"),
    act("SCIM Group Management", GROUP, 4, 18, Member, SCIM, "", Patch, "/v1/scim/v2/Groups/{g}", "removed {S} from the group {G}"),

    act("User API Key Creation", ENTITY, 1, 60, OwnKey, ANY, "user_api_key", Post, "/v1/user/api-keys", "created the API key {E}"),
    act("User API Key Deletion", ENTITY, 4, 50, OwnKey, ANY, "user_api_key", Delete, "/v1/user/api-keys/{e}", "deleted the API key {E}"),
    act("User API Key Update", ENTITY, 3, 90, OwnKey, ANY, "user_api_key", Patch, "/v1/user/api-keys/{e}", "changed the permissions of the API key {E}"),
    act("User API Key Management", ENTITY, 2, 300, OwnKey, ANY, "user_api_key", Get, "/v1/user/api-keys/{e}", "looked at the API key {E}"),
    act("API Key Creation", ENTITY, 1, 25, ServiceKey, ADM, "api_key", Post, "/v1/service-accounts/{o}/api-keys", "created the API key {E} for {S}"),
    act("API Key Deletion", ENTITY, 4, 20, ServiceKey, ADM, "api_key", Delete, "/v1/service-accounts/{o}/api-keys/{e}", "deleted the API key {E} of {S}"),
    act("API Key Update", ENTITY, 3, 50, ServiceKey, ADM, "api_key", Patch, "/v1/service-accounts/{o}/api-keys/{e}", "changed the permissions of the API key {E} of {S}"),
    act("API Key Management", ENTITY, 2, 120, ServiceKey, ADM, "api_key", Get, "/v1/service-accounts/{o}/api-keys/{e}", "looked at the API key {E} of {S}"),
    act("Agents User Memory Viewed", ENTITY, 2, 900, Entity, ANY, "agent_user_memory", Get, "/v1/convai/users/{e}/memory", "viewed the memory {E}"),
    act("Agents User Memory Exported", ENTITY, 2, 90, Entity, ANY, "agent_user_memory", Get, "/v1/convai/users/{e}/memory/export", "exported the memory {E}"),
    act("Agents User Memory Erased", ENTITY, 4, 30, Entity, ANY, "agent_user_memory", Delete, "/v1/convai/users/{e}/memory", "erased the memory {E}"),
    act("Agents User Memory Entity Deleted", ENTITY, 4, 25, Entity, ANY, "agent_user_memory_entity", Delete, "/v1/convai/users/memory/entities/{e}", "deleted the memory entity {E}"),
    act("Agents User Memory Fact Deleted", ENTITY, 4, 25, Entity, ANY, "agent_user_memory_fact", Delete, "/v1/convai/users/memory/facts/{e}", "deleted the memory fact {E}"),
    act("Agents User Property Created", ENTITY, 1, 40, Entity, ANY, "agent_user_property", Post, "/v1/convai/users/properties", "created the user property {E}"),
    act("Agents User Property Updated", ENTITY, 3, 480, Entity, ANY, "agent_user_property", Patch, "/v1/convai/users/properties/{e}", "updated the user property {E}"),
    act("Agents User Property Archived", ENTITY, 11, 20, Entity, ANY, "agent_user_property", Post, "/v1/convai/users/properties/{e}/archive", "archived the user property {E}"),
    act("Agents User Property Unarchived", ENTITY, 10, 12, Entity, ANY, "agent_user_property", Post, "/v1/convai/users/properties/{e}/unarchive", "brought back the user property {E}"),
    act("Agents User Properties Reordered", ENTITY, 5, 20, Entity, ANY, "agent_user_property", Put, "/v1/convai/users/properties/order", "moved the user property {E}"),
    act("Auth Connection Creation", ENTITY, 1, 14, Entity, ADM, "auth_connection", Post, "/v1/workspace/auth-connections", "created the auth connection {E}"),
    act("Auth Connection Deletion", ENTITY, 4, 8, Entity, ADM, "auth_connection", Delete, "/v1/workspace/auth-connections/{e}", "deleted the auth connection {E}"),
    act("Auth Connection Management", ENTITY, 2, 120, Entity, ANY, "auth_connection", Get, "/v1/workspace/auth-connections/{e}", "looked at the auth connection {E}"),
    act("Auth Connection Update", ENTITY, 3, 50, Entity, ADM, "auth_connection", Patch, "/v1/workspace/auth-connections/{e}", "updated the auth connection {E}"),
    act("Billing Management", ENTITY, 2, 90, Entity, ADM, "subscription", Get, "/v1/workspace/billing/{e}", "opened the billing of {E}"),
    act("Child Workspace Resource Override", ENTITY, 3, 10, Entity, ADM, "workspace_resource", Put, "/v1/workspace/children/resources/{e}", "overrode the resource {E} in a child workspace"),
    act("Content Generation Terms Update", ENTITY, 3, 4, Entity, ADM, "terms", Put, "/v1/workspace/content-terms", "updated the content generation terms"),
    act("Create workspace custom role", ENTITY, 1, 6, Entity, ADM, "custom_role", Post, "/v1/workspace/roles", "created the role {E}"),
    act("Update workspace custom role", ENTITY, 3, 14, Entity, ADM, "custom_role", Patch, "/v1/workspace/roles/{e}", "updated the role {E}"),
    act("Delete workspace custom role", ENTITY, 4, 4, Entity, ADM, "custom_role", Delete, "/v1/workspace/roles/{e}", "deleted the role {E}"),
    act("Data Export Request", ENTITY, 1, 12, Entity, ANY, "data_export", Post, "/v1/workspace/data-exports", "asked for the data export {E}"),
    act("Delete Scribe meeting", ENTITY, 4, 40, Entity, ANY, "meeting", Delete, "/v1/scribe/meetings/{e}", "deleted the meeting {E}"),
    act("Domain Verification Addition", ENTITY, 1, 4, Entity, ADM, "domain", Post, "/v1/workspace/domains", "added the domain of {E}"),
    act("Domain Verification Management", ENTITY, 2, 25, Entity, ADM, "domain", Get, "/v1/workspace/domains/{e}", "looked at the domain of {E}"),
    act("Domain Verification Removal", ENTITY, 4, 3, Entity, ADM, "domain", Delete, "/v1/workspace/domains/{e}", "removed the domain of {E}"),
    act("Domain Verification Status Update", ENTITY, 3, 6, Entity, ADM, "domain", Post, "/v1/workspace/domains/{e}/verify", "verified the domain of {E}"),
    act("Encryption Key Registered", ENTITY, 1, 3, Entity, ADM, "encryption_key", Post, "/v1/workspace/encryption-keys", "registered the encryption key {E}"),
    act("Encryption Key Paused", ENTITY, 12, 3, Entity, ADM, "encryption_key", Post, "/v1/workspace/encryption-keys/{e}/pause", "paused the encryption key {E}"),
    act("Encryption Key Unpaused", ENTITY, 13, 3, Entity, ADM, "encryption_key", Post, "/v1/workspace/encryption-keys/{e}/unpause", "resumed the encryption key {E}"),
    act("Encryption Key Deleted", ENTITY, 4, 2, Entity, ADM, "encryption_key", Delete, "/v1/workspace/encryption-keys/{e}", "deleted the encryption key {E}"),
    act("Enterprise Copying Toggle", ENTITY, 8, 4, Entity, ADM, "workspace_setting", Post, "/v1/workspace/settings/copying", "switched copying between workspaces on"),
    act("Gift Credit Code Applied", ENTITY, 10, 5, Entity, ANY, "credit_code", Post, "/v1/user/credits/apply", "applied the gift {E}"),
    act("Influencer Code Applied", ENTITY, 10, 4, Entity, ANY, "credit_code", Post, "/v1/user/referral/apply", "applied the referral {E}"),
    act("Identity Provider Update", ENTITY, 3, 5, Entity, ADM, "identity_provider", Put, "/v1/workspace/sso/providers/{e}", "updated the identity provider {E}"),
    act("Model Approvals Update", ENTITY, 3, 12, Entity, ADM, "model", Put, "/v1/workspace/models/{e}/approval", "changed the approval of the model {E}"),
    act("Notification Preference Creation", ENTITY, 1, 20, Entity, ANY, "notification_preference", Post, "/v1/user/notifications", "created the notification {E}"),
    act("Notification Preference Deletion", ENTITY, 4, 14, Entity, ANY, "notification_preference", Delete, "/v1/user/notifications/{e}", "deleted the notification {E}"),
    act("Notification Preference Management", ENTITY, 2, 160, Entity, ANY, "notification_preference", Get, "/v1/user/notifications/{e}", "looked at the notification {E}"),
    act("Notification Preference Update", ENTITY, 3, 120, Entity, ANY, "notification_preference", Patch, "/v1/user/notifications/{e}", "updated the notification {E}"),
    act("Reporting Workspace SSO Inheritance Update", ENTITY, 3, 3, Entity, ADM, "sso_setting", Put, "/v1/workspace/sso/inheritance", "changed the inheritance of single sign-on"),
    act("Shared SSO Sibling Workspaces Update", ENTITY, 3, 3, Entity, ADM, "sso_setting", Put, "/v1/workspace/sso/siblings", "changed the workspaces that share single sign-on"),
    act("SSO Management", ENTITY, 2, 30, Entity, ADM, "sso_provider", Get, "/v1/workspace/sso/{e}", "opened the single sign-on settings of {E}"),
    act("SSO Provider Configuration", ENTITY, 1, 3, Entity, ADM, "sso_provider", Post, "/v1/workspace/sso", "set up the single sign-on provider {E}"),
    act("SSO Provider Removal", ENTITY, 4, 2, Entity, ADM, "sso_provider", Delete, "/v1/workspace/sso/{e}", "removed the single sign-on provider {E}"),
    act("User Auto-Provisioning Enabled", ENTITY, 8, 3, Entity, ADM, "auto_provisioning", Post, "/v1/workspace/auto-provisioning", "switched auto-provisioning on"),
    act("User Auto-Provisioning Disabled", ENTITY, 9, 3, Entity, ADM, "auto_provisioning", Delete, "/v1/workspace/auto-provisioning", "switched auto-provisioning off"),
    act("Resource Access Management", ENTITY, 2, 1900, Resource, ANY, "", Get, "/v1/workspace/resources/{e}", "looked at who may use {E}"),
    act("Resource Copied to Workspace", ENTITY, 1, 110, Resource, ANY, "", Post, "/v1/workspace/resources/{e}/copy-to-workspace", "copied {E} to the workspace"),
    act("Resource Ownership Transferred", ENTITY, 5, 25, Resource, ANY, "", Post, "/v1/workspace/resources/{e}/transfer-ownership", "gave the ownership of {E} away"),
    act("Workspace Member Resource Transfer", ENTITY, 5, 10, Resource, ADM, "", Post, "/v1/workspace/members/resources/{e}/transfer", "moved {E} to another member"),
    act("Resource Locator Creation", ENTITY, 1, 60, Entity, ANY, "resource_locator", Post, "/v1/workspace/resource-locators", "created the locator {E}"),
    act("Resource Locator Deletion", ENTITY, 4, 40, Entity, ANY, "resource_locator", Delete, "/v1/workspace/resource-locators/{e}", "deleted the locator {E}"),
    act("Resource Locator Management", ENTITY, 2, 700, Entity, ANY, "resource_locator", Get, "/v1/workspace/resource-locators/{e}", "looked at the locator {E}"),
    act("Resource Locator Update", ENTITY, 3, 500, Entity, ANY, "resource_locator", Patch, "/v1/workspace/resource-locators/{e}", "updated the locator {E}"),
    act("SCIM Token Generated", ENTITY, 1, 4, Entity, ADM, "scim_token", Post, "/v1/workspace/scim/tokens", "generated the provisioning credential {E}"),
    act("SCIM Token Rotated", ENTITY, 3, 4, Entity, ADM, "scim_token", Post, "/v1/workspace/scim/tokens/{e}/rotate", "rotated the provisioning credential {E}"),
    act("SCIM Token Management", ENTITY, 2, 14, Entity, ADM, "scim_token", Get, "/v1/workspace/scim/tokens/{e}", "looked at the provisioning credential {E}"),
    act("SCIM Token Deleted", ENTITY, 4, 3, Entity, ADM, "scim_token", Delete, "/v1/workspace/scim/tokens/{e}", "deleted the provisioning credential {E}"),
    act("SMB Free Trial Activation", ENTITY, 10, 3, Entity, ADM, "subscription", Post, "/v1/workspace/trial", "started the trial of {E}"),
    act("SMB Reseller Subscription Lifecycle", ENTITY, 3, 4, Entity, ADM, "subscription", Post, "/v1/reseller/subscriptions/{e}", "moved the subscription {E} on"),
    act("SMB Reseller Tier Assignment", ENTITY, 1, 3, Entity, ADM, "reseller_tier", Post, "/v1/reseller/tiers", "assigned the tier {E}"),
    act("SMB Reseller Tier Change", ENTITY, 3, 3, Entity, ADM, "reseller_tier", Patch, "/v1/reseller/tiers/{e}", "changed the tier {E}"),
    act("Webhook Creation", ENTITY, 1, 30, Entity, ANY, "webhook", Post, "/v1/workspace/webhooks", "created the webhook {E}"),
    act("Webhook Deletion", ENTITY, 4, 20, Entity, ANY, "webhook", Delete, "/v1/workspace/webhooks/{e}", "deleted the webhook {E}"),
    act("Webhook Management", ENTITY, 2, 420, Entity, ANY, "webhook", Get, "/v1/workspace/webhooks/{e}", "looked at the webhook {E}"),
    act("Webhook Update", ENTITY, 3, 260, Entity, ANY, "webhook", Patch, "/v1/workspace/webhooks/{e}", "updated the webhook {E}"),
    act("Workspace Creation", ENTITY, 1, 3, Entity, ADM, "workspace", Post, "/v1/workspaces", "created the workspace {E}"),
    act("Workspace Deletion", ENTITY, 4, 2, Entity, ADM, "workspace", Delete, "/v1/workspaces/{e}", "deleted the workspace {E}"),
    act("Workspace Deletion Cancellation", ENTITY, 13, 2, Entity, ADM, "workspace", Post, "/v1/workspaces/{e}/restore", "called off the deletion of the workspace {E}"),
    act("Workspace Metadata Update", ENTITY, 3, 14, Entity, ADM, "workspace", Patch, "/v1/workspaces/{e}", "updated the workspace {E}"),
    act("Workspace Invitation Sent", ENTITY, 1, 20, Entity, ADM, "invitation", Post, "/v1/workspace/invites/add", "sent the invitation {E}"),
    act("Workspace Invitation Reminder Sent", ENTITY, 99, 8, Entity, ADM, "invitation", Post, "/v1/workspace/invites/{e}/remind", "sent a reminder of the invitation {E}"),
    act("Workspace Invitation Revoked", ENTITY, 4, 6, Entity, ADM, "invitation", Delete, "/v1/workspace/invites/{e}", "revoked the invitation {E}"),
    act("Workspace Invitation Declined", ENTITY, 11, 4, Entity, ANY, "invitation", Post, "/v1/workspace/invites/{e}/decline", "declined the invitation {E}"),
    act("Workspace Invitation Management", ENTITY, 2, 30, Entity, ADM, "invitation", Get, "/v1/workspace/invites/{e}", "looked at the invitation {E}"),
];
