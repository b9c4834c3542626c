//! A question: why would this request go there?

use crate::explanation;
use anyhow::Context;
use nearside_core::{Choice, Evidence, Facts, FullTrace, Generation, Host, Input, Now, Tried, decide};
use nearside_geo::Tables;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// The request that is asked about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// Its host.
    pub(crate) host: String,
    /// Its path, with or without a query.
    pub(crate) path: String,
    /// Its method.
    pub(crate) method: String,
    /// Its client.
    pub(crate) client: IpAddr,
    /// The value that names its home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<String>,
    /// Chance, as a number.
    pub(crate) seed: u64,
}

impl Question {
    /// The decision by `generation` and `evidence`, with all that was said on the way.
    ///
    /// # Errors
    /// The host is none.
    pub(crate) fn answer(
        &self,
        generation: &Generation,
        tables: &Tables,
        (evidence, now): (&impl Evidence, Now),
    ) -> anyhow::Result<(Value, Choice)> {
        let host = Host::parse(&self.host).with_context(|| format!("{:?} is no host name", self.host))?;
        let path = self.path.split('?').next().unwrap_or("/");
        let facts = Facts {
            place: tables.place(self.client),
            home: self.home.as_deref(),
            url_bytes: self.path.len(),
            body_bytes: Some(0),
            ..Facts::new(host.as_str(), path, &self.method, SocketAddr::new(self.client.to_canonical(), 0))
        };
        let tried = Tried::default();
        let input = Input { facts: &facts, tried: &tried, generation, evidence, now, seed: self.seed };
        let mut trace = FullTrace::default();
        let choice = decide(&input, &mut trace);
        Ok((explanation::tell(generation, &facts, choice, &trace), choice))
    }
}
