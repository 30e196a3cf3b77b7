//! `cidr_match(ip, '10.0.0.0/8')`: whether an address lies in a network.
//!
//! It reads IPv4 and IPv6; an address that is mapped into IPv6 (`::ffff:10.0.0.1`) counts as the IPv4 address. It is
//! null for a text that is not an address: logs carry host names and redacted text where an address should be.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "Whether an IP address lies in a network; null for what is no address.",
        "cidr_match(address, network)",
    )
    .with_argument("address", "IPv4 or IPv6 address as text")
    .with_argument("network", "network in CIDR notation: 10.0.0.0/8, 2001:db8::/32")
    .build();
    let signature = Signature::exact(vec![DataType::Utf8, DataType::Utf8], Volatility::Immutable);
    ScalarUDF::new_from_impl(CidrMatch { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CidrMatch {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for CidrMatch {
    fn name(&self) -> &str {
        "cidr_match"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [addresses, networks] = arguments.args.as_slice() else {
            return exec_err!("cidr_match() takes an address and a network");
        };
        let text = |value: &ColumnarValue| cast(&value.to_array(arguments.number_rows)?, &DataType::Utf8);
        let (addresses, networks) = (text(addresses)?, text(networks)?);
        let (addresses, networks) = (addresses.as_string::<i32>(), networks.as_string::<i32>());
        // The network is nearly always one literal.
        let mut last: Option<(&str, Network)> = None;
        let mut matches = Vec::with_capacity(addresses.len());
        for row in 0..addresses.len() {
            if addresses.is_null(row) || networks.is_null(row) {
                matches.push(None);
                continue;
            }
            let network = match last {
                Some((text, network)) if text == networks.value(row) => network,
                _ => Network::parse(networks.value(row)).ok_or_else(|| {
                    exec_datafusion_err!("cidr_match(): `{}` is no network such as 10.0.0.0/8", networks.value(row))
                })?,
            };
            last = Some((networks.value(row), network));
            matches.push(addresses.value(row).trim().parse::<IpAddr>().ok().map(|address| network.has(address)));
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(matches))))
    }
}

/// A network, its address as 128 bits with IPv4 mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    bits: u128,
    mask: u128,
}

impl Network {
    /// Reads `address/prefix`; a bare address is a network of one.
    fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u32>().ok()?)),
            None => (text.trim().parse::<IpAddr>().ok()?, None),
        };
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - (prefix + offset)).unwrap_or(0);
        Some(Network { bits: bits(address) & mask, mask })
    }

    fn has(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lies(address: &str, network: &str) -> bool {
        Network::parse(network).unwrap().has(address.parse().unwrap())
    }

    #[test]
    fn networks_of_both_families() {
        assert!(lies("10.1.2.3", "10.0.0.0/8"));
        assert!(!lies("11.1.2.3", "10.0.0.0/8"));
        assert!(lies("::ffff:10.1.2.3", "10.0.0.0/8"));
        assert!(lies("10.1.2.3", "0.0.0.0/0"));
        assert!(!lies("2001:db8::1", "0.0.0.0/0"));
        assert!(lies("2001:db8::1", "2001:db8::/32"));
        assert!(lies("2001:db8::1", "::/0"));
        assert!(lies("10.1.2.3", "10.1.2.3"));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
        assert_eq!(Network::parse("ten/8"), None);
    }
}
