//! What only we say: names that clients forge, and their twins that careless programs take for them (RFC 9110, 5.1; SPEC,
//! section 5).

use crate::case::Judged::{Answered, Arrives};
use crate::case::{cases, get};

/// What arrives of a request of which nothing but its first line and its host may.
const BARE: &str = "GET /a HTTP/1.1\nhost: www.example.com\n";

cases! {
    an_address_that_a_client_claims_is_replaced {
        send: get("X-Forwarded-For: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-For: 1.2.3.4\r\n"),
    }
    addresses_on_two_lines_are_replaced {
        send: get("X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-For: 1.2.3.4\r\n"),
    }
    a_host_that_a_client_claims_is_replaced {
        send: get("X-Forwarded-Host: evil.example.org\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Host: evil.example.org\r\n"),
    }
    a_scheme_that_a_client_claims_is_replaced {
        send: get("X-Forwarded-Proto: https\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Proto: https\r\n"),
    }
    a_port_that_a_client_claims_is_removed {
        send: get("X-Forwarded-Port: 443\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Port: 443\r\n"),
    }
    other_forwarded_names_are_removed {
        send: get("X-Forwarded-Prefix: /admin\r\nX-Forwarded-Server: a\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Prefix: /admin\r\n"),
    }
    the_standard_form_of_it_is_removed {
        send: get("Forwarded: for=1.2.3.4;host=evil\r\n"),
        judged: Arrives(BARE),
        neighbour: get("Forward: for=1.2.3.4\r\n"),
    }
    a_real_address_is_removed {
        send: get("X-Real-IP: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-IP: 1.2.3.4\r\n"),
    }
    a_ref_that_a_client_claims_is_replaced {
        send: get("X-Nearside-Ref: 1111111111111111\r\nX-Nearside-Pop: evil\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Ref: 1111111111111111\r\n"),
    }
    a_place_that_a_client_claims_is_replaced {
        send: get("X-Nearside-Place: DE\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Place: DE\r\n"),
    }
    a_client_is_no_probe {
        send: get("X-Nearside-Probe: 1\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Probe: 1\r\n"),
    }
    names_of_ours_that_do_not_exist_are_removed {
        send: get("X-Nearside-Admin: 1\r\nx-nearside-: 1\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Near: 1\r\n"),
    }
    an_explanation_is_not_for_everyone_and_its_question_stays_here {
        send: get("X-Nearside-Explain: 1\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Explain: 1\r\n"),
    }
    a_twin_of_the_address_does_not_arrive {
        send: get("X_Forwarded_For: 1.2.3.4\r\nX-Forwarded_For: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X_For: 1.2.3.4\r\n"),
    }
    a_twin_with_a_dot_does_not_arrive {
        send: get("X.Forwarded.For: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X.For: 1.2.3.4\r\n"),
    }
    a_twin_of_a_name_of_ours_does_not_arrive {
        send: get("X_Nearside_Ref: 1\r\nx_nearside_anything: 1\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X_Near: 1\r\n"),
    }
    a_twin_of_the_real_address_does_not_arrive {
        send: get("X_Real_IP: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X_Real: 1.2.3.4\r\n"),
    }
    a_twin_of_what_a_route_sets_does_not_arrive {
        send: "GET /set HTTP/1.1\r\nHost: www.example.com\r\nX_Tenant: evil\r\nX-Tenant: evil\r\n\r\n",
        judged: Arrives("GET /set HTTP/1.1\nhost: www.example.com\nx-tenant: good\n"),
        neighbour: get("X_Tenants: 1\r\n"),
    }
    a_twin_of_the_cookie_does_not_arrive {
        send: get("Set_Cookie: a=b\r\nCache_Control: x\r\n"),
        judged: Arrives(BARE),
        neighbour: get("Cookie: a=b\r\n"),
    }
    a_request_that_has_passed_here_too_often_is_a_loop {
        send: get("CDN-Loop: nearside-test, nearside-test;v=2, nearside-test\r\nCDN-Loop: NEARSIDE-TEST, nearside-test\r\n"),
        judged: Answered(508),
        neighbour: get("CDN-Loop: nearside-test, nearside-test\r\nCDN-Loop: nearside-test, nearside-test, other\r\n"),
    }
    a_trace_that_is_none_is_not_continued {
        send: get("Traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\nTracestate: a=b\r\n"),
        judged: Arrives(BARE),
        neighbour: get("Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nTracestate: a=b\r\n"),
    }
}
