//! The section `[serve]` as the file has it.

use std::time::Duration;

use serde::Deserialize;

use super::{path, value};
use crate::{ingest, serve};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Serve {
    listen: String,
    tls_cert: String,
    tls_key: String,
    tier: String,
    rate_per_minute: usize,
    keyless_per_minute: usize,
    max_connections: usize,
    max_connections_per_address: usize,
    metrics_listen: String,
    #[serde(deserialize_with = "value::some_duration")]
    first_byte_timeout: Duration,
    #[serde(deserialize_with = "value::some_duration")]
    header_timeout: Duration,
    #[serde(deserialize_with = "value::some_duration")]
    page_timeout: Duration,
    #[serde(deserialize_with = "value::some_duration")]
    stop_timeout: Duration,
    #[serde(deserialize_with = "value::size")]
    cache: u64,
    #[serde(deserialize_with = "value::some_duration")]
    reads_interval: Duration,
}

impl Serve {
    pub(super) fn options(&self) -> serve::Options {
        let tls = serve::Tls { certificate: self.tls_cert.clone().into(), key: self.tls_key.clone().into() };
        let has_tls = path(&self.tls_cert).is_some() || path(&self.tls_key).is_some();
        serve::Options {
            listen: self.listen.clone(),
            tls: has_tls.then_some(tls),
            is_insecure_allowed: false,
            tier: self.tier.clone(),
            per_minute: self.rate_per_minute,
            keyless_per_minute: self.keyless_per_minute,
            connections: self.max_connections,
            connections_of_one: self.max_connections_per_address,
            metrics_listen: Some(self.metrics_listen.clone()).filter(|address| !address.is_empty()),
            first_time: self.first_byte_timeout,
            head_time: self.header_timeout,
            page_time: self.page_timeout,
            stop_time: self.stop_timeout,
            cache_bytes: self.cache as usize,
            reads_interval: self.reads_interval,
            threads: ingest::Options::default().threads,
        }
    }
}
