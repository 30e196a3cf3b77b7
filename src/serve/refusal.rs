//! The answer to a request that does not get its page.
//!
//! The bodies are the vendor's: `detail` is an object, for 422 an array with one item per fault. Every refusal of one
//! kind has the same bytes, apart from the request's id, which always has the same length.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::query::Fault;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// The vendor's word for what happened.
    pub code: &'static str,
    pub message: String,
    /// The parameter that is at fault.
    param: Option<&'static str>,
    faults: Vec<Fault>,
    /// Whole seconds, at least 1.
    pub retry_after: Option<u64>,
    /// The allowed methods of a path that exists, when the method is not one of them.
    pub allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        let (param, faults, retry_after, allow) = (None, Vec::new(), None, None);
        Refusal { status, code, message: message.into(), param, faults, retry_after, allow }
    }

    pub fn missing_key() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "missing_api_key", "Send your API key in the header xi-api-key")
    }

    /// Refuses a key: unknown, revoked and expired ones alike.
    pub fn invalid_key() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", "This API key is not valid")
    }

    pub fn permission(permission: &str) -> Refusal {
        let message = format!("The user of this API key lacks the permission {permission}");
        Refusal::new(StatusCode::FORBIDDEN, "insufficient_permissions", message)
    }

    pub fn tier(tier: &str) -> Refusal {
        let message = format!("Audit logs need the tier {tier}, which this workspace does not have");
        Refusal::new(StatusCode::FORBIDDEN, "feature_not_available", message)
    }

    pub fn rate(per_minute: usize, wait_ms: u64) -> Refusal {
        let message = format!("More than {per_minute} requests in a minute");
        let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        refusal.retry_after = Some(wait_ms.div_ceil(1000).max(1));
        refusal
    }

    /// Refuses an address that has sent too many requests without a valid key.
    pub fn keyless(per_minute: usize, wait_ms: u64) -> Refusal {
        let message = format!("More than {per_minute} requests in a minute without a valid API key");
        Refusal { message, ..Refusal::rate(per_minute, wait_ms) }
    }

    pub fn cursor() -> Refusal {
        let message = "This cursor was not made here, or for other filters; begin without one";
        let mut refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_cursor", message);
        refusal.param = Some("cursor");
        refusal
    }

    pub fn parameters(faults: Vec<Fault>) -> Refusal {
        let mut refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_parameters", "");
        refusal.faults = faults;
        refusal
    }

    pub fn body() -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_not_allowed", "This request takes no body")
    }

    /// Refuses a request without a host, which HTTP/1.1 requires: a proxy in front may otherwise take it for another one.
    pub fn host() -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "missing_host", "HTTP/1.1 requests name their host")
    }

    pub fn method() -> Refusal {
        let mut refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET");
        refusal.allow = Some("GET");
        refusal
    }

    pub fn path() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path; see /openapi.json")
    }

    /// Reports that something of ours failed; our log names it, the answer does not.
    pub fn unavailable() -> Refusal {
        let message = "The audit log cannot be read right now";
        let mut refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message);
        refusal.retry_after = Some(2);
        refusal
    }

    pub fn internal() -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The request could not be answered")
    }

    /// Returns the vendor's class of the error.
    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "authorization_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::INTERNAL_SERVER_ERROR => "internal_error",
            StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
            _ => "validation_error",
        }
    }

    pub fn to_json(&self, request_id: &str) -> Value {
        if self.status == StatusCode::UNPROCESSABLE_ENTITY {
            return json!({"detail": self.faults.iter().map(Fault::to_json).collect::<Vec<_>>()});
        }
        json!({"detail": {
            "type": self.kind(),
            "code": self.code,
            "message": self.message,
            "status": self.code,
            "request_id": request_id,
            "param": self.param,
        }})
    }
}
