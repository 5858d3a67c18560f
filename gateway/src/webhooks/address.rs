//! Where webhooks may go: a URL's form, and addresses that are not this network's own; it resolves nothing.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use reqwest::Url;

use crate::settings;

#[cfg(test)]
mod tests;

/// The longest URL.
pub const URL_LENGTH_MAX: usize = 2_048;

/// Reads an endpoint's URL.
///
/// # Errors
/// Why it may not be used.
pub fn url(text: &str, settings: &settings::Webhooks) -> Result<Url, &'static str> {
    if text.len() > URL_LENGTH_MAX {
        return Err("must have at most 2048 characters");
    }
    let url = Url::parse(text).map_err(|_| "must be an absolute URL")?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_http => {}
        _ => return Err("must begin with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user and no password");
    }
    if url.fragment().is_some() {
        return Err("must hold no fragment");
    }
    // A client resolves no literal address, so it is judged here, at each use.
    let host = url.host_str().ok_or("must name a host")?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    match literal.is_some_and(|address| !permitted(address, &settings.allow_networks)) {
        true => Err("must not name an address of a private, local or special network"),
        false => Ok(url),
    }
}

/// Whether a message may go to an address: one of the public Internet, or of a network that the
/// settings allow.
#[must_use]
pub fn permitted(address: IpAddr, allowed: &[IpNet]) -> bool {
    allowed.iter().any(|network| network.contains(&address)) || public(address)
}

fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => public_v4(address),
        IpAddr::V6(address) => public_v6(address),
    }
}

/// Not in the IANA registry of special-purpose addresses (RFC 6890), nor multicast. The metadata
/// services of clouds are link-local, 169.254.169.254.
fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, _, _)
        | (100, 64..=127, _)
        | (169, 254, _)
        | (172, 16..=31, _)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (192, 168, _)
        | (198, 18..=19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., _, _) => true,
        _ => false,
    };
    !special
}

/// Only 2000::/3 is global unicast; within it what carries an IPv4 address or is special is out.
/// An address that maps or translates IPv4 is judged by it.
fn public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return public_v4(mapped);
    }
    let segments = address.segments();
    let [a, b, ..] = segments;
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., c, d] = segments;
        let ([w, x], [y, z]) = (c.to_be_bytes(), d.to_be_bytes());
        return public_v4(Ipv4Addr::new(w, x, y, z));
    }
    let global = (0x2000..=0x3fff).contains(&a);
    // Teredo, benchmarking and ORCHID; documentation; 6to4; documentation again (RFC 9637).
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || a == 0x3fff;
    global && !special
}
