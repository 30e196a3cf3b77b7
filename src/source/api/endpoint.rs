//! The address of the audit log, and what is asked of it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use crate::error::{Error, Result};

/// Below the base address; a path prefix of the base is kept.
const PATH: &str = "/v1/workspace/audit-logs";

/// A checked base address: HTTPS, or HTTP on this machine, and nothing in it that would be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    list: Url,
    is_loopback: bool,
}

/// One page: a window, how many entries, and where to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Inclusive, both; none is without a bound.
    pub from_ms: Option<i64>,
    pub to_ms: i64,
    pub limit: u32,
    pub cursor: Option<String>,
}

impl Endpoint {
    /// Takes a base address such as `https://api.elevenlabs.io`.
    pub fn parse(text: &str) -> Result<Endpoint> {
        // The text may hold a password, so only what is known to be none is shown.
        let refuse = |why: &str| {
            Error::usage(format!("cannot use a source's `base_url`: {why}"))
                .hint("write it like https://api.elevenlabs.io, without user, query or fragment")
        };
        let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(refuse("it names no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err(refuse("plain HTTP would send the key in the clear; only loopback may be asked so")),
            scheme => return Err(refuse(&format!("it is not HTTPS but `{scheme}`"))),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it names a user; the key is given with `key`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a query or a fragment"));
        }
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Endpoint { list: url, is_loopback })
    }

    /// Whether it is this machine: then no proxy is asked, and no name is looked up.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The address as the ledger keeps it.
    pub fn as_str(&self) -> &str {
        self.list.as_str()
    }

    /// `localhost` is what we say it is, whatever a hosts file or a name server says.
    pub(super) fn localhost(&self) -> Option<[SocketAddr; 2]> {
        let port = self.list.port_or_known_default().unwrap_or(0);
        (self.list.host_str() == Some("localhost"))
            .then(|| [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()])
    }

    /// The address of one page; what is not asked is not sent.
    pub(super) fn page(&self, request: &PageRequest) -> Url {
        let mut url = self.list.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", &request.limit.to_string());
            if let Some(from) = request.from_ms {
                query.append_pair("time_from_unix_ms", &from.to_string());
            }
            query.append_pair("time_to_unix_ms", &request.to_ms.to_string());
            if let Some(cursor) = &request.cursor {
                query.append_pair("cursor", cursor);
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for fine in ["https://api.elevenlabs.io", "http://127.0.0.1:1", "http://[::1]:80/", "http://localhost/x"] {
            Endpoint::parse(fine).unwrap();
        }
        for wrong in [
            "http://api.elevenlabs.io",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "ftp://a.example",
            "api.elevenlabs.io",
            "https://",
            "https://user:hunter2@a.example",
            "https://a.example?key=hunter2",
            "https://a.example#hunter2",
        ] {
            let error = Endpoint::parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_prefix_is_kept_and_nothing_is_sent_that_was_not_asked() {
        let endpoint = Endpoint::parse("https://a.example/proxy//").unwrap();
        let mut request = PageRequest { from_ms: None, to_ms: 9, limit: 100, cursor: None };
        let page = |request: &PageRequest| endpoint.page(request).to_string();
        assert_eq!(page(&request), "https://a.example/proxy/v1/workspace/audit-logs?limit=100&time_to_unix_ms=9");
        request.from_ms = Some(1);
        request.cursor = Some("a b&c=".to_string());
        assert!(page(&request).ends_with("?limit=100&time_from_unix_ms=1&time_to_unix_ms=9&cursor=a+b%26c%3D"));
    }
}
