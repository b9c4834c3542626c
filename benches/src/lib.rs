//! What the benchmarks measure: a large generation with its evidence, a usual request head, a client that trusts anyone.

use nearside_core::{BackendId, Evidence, Generation, Now, PoolId, RegionId, RouteId, State, Verdict};
use std::fmt::Write;
use std::sync::Arc;

/// A generation of `hosts` hosts with `paths` routes each, all to one pool of `backends` in four regions.
///
/// # Errors
/// The text that is built here does not pass the checks.
pub fn generation(hosts: usize, paths: usize, backends: usize) -> anyhow::Result<Generation> {
    load(hosts, paths, backends, "")
}

/// The same, and every route has a residency class by place, and regions that places prefer.
///
/// # Errors
/// As [`generation`].
pub fn lawful(hosts: usize, paths: usize, backends: usize) -> anyhow::Result<Generation> {
    let policy = ", residency: [{ group: GDPR, class: eu }, { country: CH, class: eu }], \
                  geo: [{ country: [FR, IT], to: [r1] }, { group: EEA, to: [r0, r1] }, { continent: NA, to: [r2, r3] }]";
    load(hosts, paths, backends, policy)
}

fn load(hosts: usize, paths: usize, backends: usize, policy: &str) -> anyhow::Result<Generation> {
    let text = text(hosts, paths, backends, policy)?;
    let loaded = nearside_config::load(&text).map_err(|report| anyhow::anyhow!("{report}"))?;
    Ok(loaded.0)
}

fn text(hosts: usize, paths: usize, backends: usize, policy: &str) -> anyhow::Result<String> {
    let mut text = String::from(
        "version: 1\nregions:\n  r0: { jurisdictions: [EU] }\n  r1: { jurisdictions: [EU] }\n  r2: {}\n  r3: {}\n\
         residency: { eu: { allow: [EU] } }\npools:\n  web:\n    backends:\n",
    );
    for index in 0..backends {
        let (region, priority) = (index % 4, index % 3 + 1);
        writeln!(
            text,
            "      - {{ id: b{index}, url: \"http://10.0.{}.{}\", region: r{region}, priority: {priority} }}",
            index / 250,
            index % 250 + 1
        )?;
    }
    text.push_str("routes:\n");
    for host in 0..hosts {
        for path in 0..paths {
            writeln!(text, "  - {{ host: h{host}.example.com, path: /p{path}/*, pool: web{policy} }}")?;
        }
    }
    text.push_str("listeners: [{ bind: \"127.0.0.1:8080\" }]\n");
    Ok(text)
}

/// Evidence in which a third of the backends is down and the regions are 20 ms apart.
#[derive(Clone, Copy, Debug)]
pub struct Mixed;

impl Evidence for Mixed {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        let index = u32::try_from(backend.index()).unwrap_or(0);
        State {
            verdict: if index % 3 == 1 { Verdict::Unhealthy } else { Verdict::Healthy },
            rtt_micros: Some(5_000 + index % 4 * 20_000),
            in_flight: index % 7,
            ..State::default()
        }
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        0
    }

    fn offered(&self, _region: RegionId, _now: Now) -> u64 {
        0
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}

/// The head that a browser sends, shortened to what matters.
pub const HEAD: &[u8] = b"GET /p3/items/42?page=7 HTTP/1.1\r\n\
    Host: h9000.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: document\r\n\r\n";

/// TLS of a client that takes any certificate: it measures, it does not trust.
///
/// # Errors
/// The provider lacks the default versions.
pub fn trusting() -> anyhow::Result<rustls::ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // The one key exchange that all proxies know, so that none has the dearer handshake.
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    let provider = Arc::new(provider);
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct Anyone(Arc<rustls::crypto::CryptoProvider>);

type Verified = Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error>;

impl rustls::client::danger::ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls::pki_types::CertificateDer<'_>,
        _intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _server_name: &rustls::pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &rustls::pki_types::CertificateDer<'_>,
        _signed: &rustls::DigitallySignedStruct,
    ) -> Verified {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &rustls::pki_types::CertificateDer<'_>,
        _signed: &rustls::DigitallySignedStruct,
    ) -> Verified {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
