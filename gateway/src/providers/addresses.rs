//! Which addresses a channel may be reached at: a custom base URL must not lead into the operator's own network.
//!
//! Checked where the connection is made: the resolver answers with allowed addresses only, and the connection is made
//! to exactly those, so that a name cannot resolve to one address for the check and to another for the call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every address: the operator wrote it into the configuration file, or allowed it.
    Anywhere,
    /// Public addresses only.
    Public,
}

/// The name resolves to addresses that are not allowed.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at a private, link-local or loopback address, which [upstreams] allow_private = false forbids")]
pub struct PrivateAddress {
    pub host: String,
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_protocol = first == 192 && second == 0 && third == 0;
    let is_benchmark = first == 198 && (18..20).contains(&second);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_broadcast()
        || first == 0
        || first >= 240
        || is_shared
        || is_protocol
        || is_benchmark)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_translated = first == 0x64 && second == 0xff9b;
    let is_6to4_or_teredo = first == 0x2002 || (first == 0x2001 && second < 0x200);
    let is_documentation = first == 0x2001 && second == 0xdb8;
    // What is not global unicast is not public.
    first & 0xe000 == 0x2000 && !is_translated && !is_6to4_or_teredo && !is_documentation
}

/// Refuses a host that is written as an address, or as a name of this machine; other names are checked when they are resolved.
pub fn check_host(host: &str) -> Result<(), PrivateAddress> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let is_local_name = bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost");
    let is_private = bare.parse::<IpAddr>().is_ok_and(|address| !is_public(address));
    if is_local_name || is_private { Err(PrivateAddress { host: host.to_owned() }) } else { Ok(()) }
}

/// Resolves names to the addresses that may be connected to.
#[derive(Debug, Clone)]
pub struct CheckedResolver(pub Reach);

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                addresses.into_iter().filter(|address| reach == Reach::Anywhere || is_public(address.ip())).collect();
            if allowed.is_empty() {
                let refused = PrivateAddress { host: name.as_str().to_owned() };
                return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, refused));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2001:4860:4860::8888"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_host_written_as_a_private_address_is_refused_at_once() {
        for host in ["127.0.0.1", "[::1]", "localhost", "LOCALHOST.", "x.localhost", "169.254.169.254"] {
            assert!(check_host(host).is_err(), "{host}");
        }
        assert!(check_host("api.example.com").is_ok() && check_host("8.8.8.8").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = CheckedResolver(Reach::Public).call(name()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(CheckedResolver(Reach::Anywhere).call(name()).await.unwrap().next().is_some());
    }
}
