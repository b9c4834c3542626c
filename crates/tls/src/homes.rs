//! Homes: the values by which users say where their data lives, and who has signed them.

use crate::identity::Identity;
use crate::problem::{Findings, Problem, Warning};
use crate::token::Token;
use crate::verifier::Verifier;
use nearside_core::home::HomeKey;
use nearside_core::{Generation, RouteId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a value is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doubt {
    /// No key of ours has signed it.
    Forged,
    /// It is no longer good, or not yet.
    Expired,
}

/// The keys that homes of a generation are verified with.
#[derive(Debug, Default)]
pub struct Homes {
    by_route: Box<[Option<Arc<Verifier>>]>,
    identity: Identity,
}

impl Homes {
    /// Reads the keys of every route of `generation`; `key_path` says where `routes.yaml` names one.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn load(
        generation: &Generation,
        key_path: impl Fn(&HomeKey) -> String,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let (mut findings, mut identities) = (Findings::default(), Vec::new());
        // Routes that share a key read it once, and report it once.
        let mut read: HashMap<(bool, PathBuf), Option<Arc<Verifier>>> = HashMap::new();
        let mut verifier = |key: &HomeKey| {
            let (HomeKey::Hmac(path) | HomeKey::Public(path)) = key;
            let name = (matches!(key, HomeKey::Hmac(_)), path.clone());
            let known = read.entry(name).or_insert_with(|| match Verifier::load(key, &key_path(key)) {
                Ok((verifier, warning)) => {
                    findings.warnings.extend(warning);
                    Some(Arc::new(verifier))
                }
                Err(problems) => {
                    findings.problems.extend(problems);
                    None
                }
            });
            identities.extend(known.as_ref().map(|verifier| verifier.identity));
            known.clone()
        };
        let keys = generation.routes.routes().iter().map(|route| route.home.as_ref()?.verify.as_ref());
        let by_route = keys.map(|key| key.and_then(&mut verifier)).collect();
        findings.conclude(Self { by_route, identity: Identity::of(identities) })
    }

    /// Equal where the keys are equal.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The value that `text` says, of a route that takes any or wants it signed as `value.signature`.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn value<'v>(&self, route: RouteId, text: &'v str) -> Result<&'v str, Doubt> {
        self.verifier(route).map_or(Ok(text), |verifier| verifier.value(text))
    }

    /// What the token `text` says under `claim`, at `now` in seconds since the Unix epoch; `None` where it is no token
    /// or does not say.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn claim(&self, route: RouteId, text: &str, claim: &str, now: u64) -> Result<Option<String>, Doubt> {
        let Some(token) = Token::parse(text) else { return Ok(None) };
        let signed = self.verifier(route).is_none_or(|verifier| verifier.signed(&token));
        if signed { token.claim(claim, now) } else { Err(Doubt::Forged) }
    }

    fn verifier(&self, route: RouteId) -> Option<&Verifier> {
        self.by_route.get(route.index())?.as_deref()
    }
}
