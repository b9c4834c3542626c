//! Regions: where they stand, and the operator's mark.

use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::scalar::place::{Cloud, Degrees};
use crate::scalar::quantity::{Date, Pause, Rate};
use crate::scalar::{Name, Says, words};
use crate::shape::{Form, Shape, document};
use nearside_core::generation::PinnedSessions;
use nearside_core::place::{Country, Subdivision};

document! {
    settings
    /// A region.
    Region {
        /// Where it stands; used until a round trip has been measured.
        place: Option<Place> = None,
        /// The cloud's region that it stands in, instead of `place`: `azure/germanywestcentral`, `aws/eu-west-1`, `gcp/europe-west3`.
        cloud: Option<Cloud> = None,
        /// The jurisdictions that it is under, for `residency`.
        jurisdictions: Vec<Name> = Vec::new(),
        /// What the whole region can carry. A PoP that has more than its share for it (see `fleet.pops`) lets the rest spill over. By default it is unknown, and nothing spills.
        capacity: Option<Rate> = None,
        /// The operator's mark: the region gets no new request. A text is the reason.
        drain: Option<Drain> = None,
    }
}

document! {
    entry
    /// A place.
    Place {
        /// Its ISO 3166-1 country.
        country: Country,
        /// Its ISO 3166-2 state.
        state: Option<Subdivision> = None,
        /// Degrees north, together with `lon`. By default the middle of the country.
        lat: Option<Degrees<90>> = None,
        /// Degrees east, together with `lat`.
        lon: Option<Degrees<180>> = None,
    }
}

document! {
    entry
    /// The operator's mark.
    Mark {
        /// Why.
        reason: Says,
        /// Who.
        by: Option<Says> = None,
        /// When it should be over. It only reminds: the mark stays until it is taken off.
        until: Option<Date> = None,
        /// How long pinned sessions and open streams may go on. What is open after that is ended, in its protocol's way.
        grace: Pause = Pause::secs(300),
        /// Whether a session that is pinned here moves at once, or stays until grace ends.
        pinned_sessions: PinnedSessions = PinnedSessions::Move,
    }
}

words!(PinnedSessions {
    "move" => PinnedSessions::Move,
    "honour_until_grace" => PinnedSessions::HonourUntilGrace,
});

/// A mark: its reason alone, or with more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drain(pub(crate) Mark);

impl Shape for Drain {
    fn form() -> Form {
        Form::Either(vec![Says::form(), Mark::form()])
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        match node.kind() {
            Kind::Map => Mark::read(reader, node, None).map(Self),
            Kind::Text => Says::read(reader, node, None).map(|reason| Self(Mark::because(reason))),
            Kind::Null | Kind::Bool | Kind::Number | Kind::List => {
                let hint = "write why, such as `drain: \"CHG-4412 kernel rollout\"`, or leave the key out";
                reader.wrong_type(node, "a reason, or a mapping", Some(hint.to_owned()));
                None
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.write()
    }
}

impl Mark {
    fn because(reason: Says) -> Self {
        let (grace, pinned_sessions) = (Pause::secs(300), PinnedSessions::Move);
        Self { reason, by: None, until: None, grace, pinned_sessions }
    }
}
