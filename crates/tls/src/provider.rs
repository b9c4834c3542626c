//! The cryptography that both sides use, in the orders that clients are met with.

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group as group};
use rustls::{ALL_VERSIONS, CipherSuite, SupportedProtocolVersion, version};
use std::sync::Arc;

/// AES-128 first: ten rounds where AES-256 has fourteen.
const AES_FIRST: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

static TLS13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// Which cipher suite is taken first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// For clients that compute AES in hardware.
    AesFirst,
    /// For clients that do not, and say so by naming ChaCha20 first.
    ChachaFirst,
}

impl Order {
    pub(crate) const ALL: [Self; 2] = [Self::AesFirst, Self::ChachaFirst];

    /// The order that suits a client which offers `suites`.
    pub(crate) fn suiting(suites: &[CipherSuite]) -> Self {
        let known = |offered: &&CipherSuite| AES_FIRST.iter().any(|ours| ours.suite() == **offered);
        match suites.iter().find(known) {
            Some(
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            ) => Self::ChachaFirst,
            _ => Self::AesFirst,
        }
    }
}

/// The provider with the suites in `order`. As a server the client's order of groups holds; as a client X25519
/// comes first, and the hybrid X25519MLKEM768 is offered.
pub(crate) fn provider(order: Order) -> Arc<CryptoProvider> {
    let mut cipher_suites = AES_FIRST.to_vec();
    if order == Order::ChachaFirst {
        // The sort is stable: false, for ChaCha20, comes before true.
        cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("CHACHA20"));
    }
    let kx_groups = vec![group::X25519, group::X25519MLKEM768, group::SECP256R1, group::SECP384R1];
    Arc::new(CryptoProvider { cipher_suites, kx_groups, ..aws_lc_rs::default_provider() })
}

/// The versions of a profile.
pub(crate) fn versions(tls13_only: bool) -> &'static [&'static SupportedProtocolVersion] {
    if tls13_only { TLS13 } else { ALL_VERSIONS }
}
