//! Where a request comes from: the connection's other end, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::request::Parts;

/// The other end of a connection; the server puts it into every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// A network, as `10.0.0.0/8` or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// Text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network; write an address such as \"10.1.2.3\" or a network such as \"10.0.0.0/8\"")]
pub struct NotNetwork(String);

impl FromStr for Network {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let bad = || NotNetwork(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| bad())?;
        if bits > most { Err(bad()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_front(network.to_bits().into(), address.to_bits().into(), 32 - self.bits),
            (IpAddr::V6(network), IpAddr::V6(address)) => same_front(network.to_bits(), address.to_bits(), 128 - self.bits),
            _ => false,
        }
    }
}

/// Whether two numbers agree in all but their last bits.
fn same_front(one: u128, two: u128, last: u32) -> bool {
    one.checked_shr(last).unwrap_or(0) == two.checked_shr(last).unwrap_or(0)
}

/// Whom to believe about where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Arc<[Network]>);

impl TrustedProxies {
    /// The client's address: what the last proxy that is not ours was seen as. `None` where there is no connection.
    pub fn client(&self, parts: &Parts) -> Option<IpAddr> {
        let mut address = parts.extensions.get::<PeerAddress>()?.0.ip().to_canonical();
        let listed = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let listed: Vec<&str> = listed.flat_map(|text| text.split(',')).map(str::trim).collect();
        for said in listed.iter().rev() {
            if !self.0.iter().any(|network| network.contains(address)) {
                break;
            }
            let Ok(said) = said.parse::<IpAddr>() else { break };
            address = said.to_canonical();
        }
        Some(address)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &str, trusted: &[&str]) -> IpAddr {
        let mut request = http::Request::builder();
        if !forwarded.is_empty() {
            request = request.header("x-forwarded-for", forwarded);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(PeerAddress(SocketAddr::new(peer.parse().unwrap(), 1)));
        TrustedProxies(trusted.iter().map(|text| text.parse().unwrap()).collect()).client(&parts).unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_the_one_before_it() {
        assert_eq!(client("203.0.113.9", "1.2.3.4", &[]).to_string(), "203.0.113.9");
        assert_eq!(client("10.0.0.2", "1.2.3.4", &["10.0.0.0/8"]).to_string(), "1.2.3.4");
        assert_eq!(client("10.0.0.2", "6.6.6.6, 1.2.3.4, 10.9.9.9", &["10.0.0.0/8"]).to_string(), "1.2.3.4");
        assert_eq!(client("10.0.0.2", "not an address", &["10.0.0.0/8"]).to_string(), "10.0.0.2");
        assert_eq!(client("::1", "2001:db8::7", &["::1"]).to_string(), "2001:db8::7");
    }

    #[test]
    fn networks_are_read_and_their_ends_are_right() {
        let network: Network = "192.168.4.0/22".parse().unwrap();
        assert!(network.contains("192.168.7.255".parse().unwrap()) && !network.contains("192.168.8.0".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "host", "10.0.0.0/x"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
