//! Why a request went where it went, or was not served: one closed list for log, metric, header and `explain`.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $help:literal;)*) => {
        /// Why a candidate was dropped, why one won, or why a request was not served.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Reason { $(#[doc = $help] $name,)* }

        impl Reason {
            /// Every reason, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason's name as it stands in logs, metrics, headers and `explain`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One sentence for a person.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

reasons! {
    NoRouteHost = "no_route.host", "no route names this host";
    NoRoutePath = "no_route.path", "the host has no route for this path";
    NoRouteMethod = "no_route.method", "the path has no route for this method";
    ExcludedResidency = "excluded.residency", "its region lacks a jurisdiction that the residency class allows";
    ExcludedDrained = "excluded.drained", "it or its region is marked drained";
    ExcludedUnhealthy = "excluded.unhealthy", "its probes fail";
    ExcludedEjected = "excluded.ejected", "live requests to it failed or hang";
    ExcludedHold = "excluded.hold", "it has recovered and is held back";
    ExcludedCapacity = "excluded.capacity", "it carries as many requests as it may";
    ExcludedTried = "excluded.tried", "it, its region or its tier has failed this request, or a repeat may not leave its region";
    LostHome = "lost.home", "another region is the request's home, or none is known and the route asks for one";
    LostAffinity = "lost.affinity", "the request is pinned elsewhere";
    LostGeo = "lost.geo", "the place prefers another region";
    LostPriority = "lost.priority", "a better tier, or a backend of known health, is usable";
    LostLatency = "lost.latency", "another is nearer by more than the tolerance";
    LostWeight = "lost.weight", "the weighted choice fell on another";
    WonOnly = "won.only", "it was the only candidate";
    WonHome = "won.home", "its region is the request's home";
    WonAffinity = "won.affinity", "the request is pinned to it";
    WonAffinityBackup = "won.affinity_backup", "it is the named backup of the pin";
    WonGeo = "won.geo", "the place prefers its region";
    WonPriority = "won.priority", "it stands in the best usable tier";
    WonLatency = "won.latency", "it is the nearest";
    WonWeight = "won.weight", "the weighted choice fell on it";
    WonFailover = "won.failover", "a better tier or a nearer region is down or has failed this request";
    WonSpillover = "won.spillover", "a better one is full";
    WonFailOpen = "won.fail_open", "everything is down, so it is tried anyway";
    RefusedMalformed = "refused.malformed", "the request breaks the protocol's rules";
    RefusedTooLarge = "refused.too_large", "the request is larger than the route allows";
    RefusedTimeout = "refused.timeout", "the request did not arrive in time";
    RefusedMisdirected = "refused.misdirected", "the connection was made for another host";
    RefusedLimit = "refused.limit", "a limit of the route is reached";
    RefusedOverload = "refused.overload", "no capacity was free in time";
    RefusedLoop = "refused.loop", "the request has passed here too often";
    RefusedResidency = "refused.residency", "no usable backend may handle it by law";
    RefusedDrained = "refused.drained", "every backend that may serve it is drained";
    RefusedHome = "refused.home", "it names no known home, and its route asks for one";
    RefusedAllDown = "refused.all_down", "no usable backend is left";
    FailedConnect = "failed.connect", "no backend accepted a connection";
    FailedReset = "failed.reset", "the backend closed the connection before it had answered";
    FailedTimeout = "failed.timeout", "the backend did not answer in time";
    FailedProtocol = "failed.protocol", "the backend's answer breaks the protocol's rules";
    FailedClientGone = "failed.client_gone", "the client went away";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_have_a_family() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert!(names.iter().all(|name| name.split_once('.').is_some()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
