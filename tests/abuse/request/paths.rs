//! Paths: routes are chosen by one form, and what has several readings is refused, or forwarded in a form that was judged
//! (RFC 3986, 6.2.2).

use crate::case::Judged::{Answered, Arrives};
use crate::case::cases;

/// A request to a host that takes paths in one form only.
fn strict(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
}

/// To one of which the normal form is forwarded.
fn normal(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: normal.shop.example.com\r\n\r\n")
}

/// To one that gets paths as they came.
fn raw(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: raw.shop.example.com\r\n\r\n")
}

cases! {
    a_step_up_is_refused {
        send: strict("/a/../b"),
        judged: Answered(400),
        neighbour: strict("/a/..b"),
    }
    a_step_up_at_the_end_is_refused {
        send: strict("/a/.."),
        judged: Answered(400),
        neighbour: strict("/a/..."),
    }
    a_step_on_the_spot_is_refused {
        send: strict("/a/./b"),
        judged: Answered(400),
        neighbour: strict("/a/.b"),
    }
    an_escaped_step_up_is_refused {
        send: strict("/a/%2e%2E/b"),
        judged: Answered(400),
        neighbour: strict("/a/%2B/b"),
    }
    a_step_up_with_a_parameter_is_refused {
        send: strict("/a/..;x=1/b"),
        judged: Answered(400),
        neighbour: strict("/a/b;x=1/b"),
    }
    two_slashes_are_refused {
        send: strict("/a//b"),
        judged: Answered(400),
        neighbour: strict("/a/b/"),
    }
    a_target_that_looks_like_another_host_is_refused {
        send: strict("//localhost/a"),
        judged: Answered(400),
        neighbour: strict("/localhost/a"),
    }
    a_backslash_is_refused {
        send: strict("/a\\b"),
        judged: Answered(400),
        neighbour: strict("/a|b"),
    }
    an_escaped_slash_is_refused {
        send: strict("/a%2fb"),
        judged: Answered(400),
        neighbour: strict("/a%252fb"),
    }
    an_escaped_backslash_is_refused {
        send: strict("/a%5Cb"),
        judged: Answered(400),
        neighbour: strict("/a%5Bb"),
    }
    an_escaped_nul_is_refused {
        send: strict("/a%00.html"),
        judged: Answered(400),
        neighbour: strict("/a%20.html"),
    }
    an_escaped_line_feed_is_refused {
        send: strict("/a%0d%0aX-A:%20b"),
        judged: Answered(400),
        neighbour: strict("/aX-A:%20b"),
    }
    an_escape_that_nobody_needs_is_refused {
        send: strict("/%61dmin"),
        judged: Answered(400),
        neighbour: strict("/admin"),
    }
    an_escape_of_one_digit_is_refused {
        send: strict("/a%2"),
        judged: Answered(400),
        neighbour: strict("/a%25"),
    }
    an_escape_that_is_none_is_refused {
        send: strict("/a%zz"),
        judged: Answered(400),
        neighbour: strict("/a%25zz"),
    }
    an_escape_in_lower_case_arrives_as_it_came {
        send: strict("/caf%c3%a9"),
        judged: Arrives("GET /caf%c3%a9 HTTP/1.1\nhost: www.example.com\n"),
        neighbour: strict("/caf%C3%A9"),
    }
    a_route_is_found_whatever_the_case_of_escapes {
        send: strict("/%e2%82%ac/price"),
        judged: Answered(403),
        neighbour: strict("/%E2%82%AD/price"),
    }
    a_query_has_no_steps {
        send: strict("/a?/../%2e%2e//%00"),
        judged: Arrives("GET /a?/../%2e%2e//%00 HTTP/1.1\nhost: www.example.com\n"),
        neighbour: strict("/a?b"),
    }
    the_normal_form_has_no_steps {
        send: normal("/a/./b/../c/.."),
        judged: Arrives("GET /a/ HTTP/1.1\nhost: normal.shop.example.com\n"),
        neighbour: normal("/a/"),
    }
    the_normal_form_does_not_leave_the_root {
        send: normal("/../../a"),
        judged: Arrives("GET /a HTTP/1.1\nhost: normal.shop.example.com\n"),
        neighbour: normal("/a"),
    }
    the_normal_form_has_one_slash_for_each {
        send: normal("//a///b%2f\\c"),
        judged: Arrives("GET /a/b/c HTTP/1.1\nhost: normal.shop.example.com\n"),
        neighbour: normal("/a/b/c"),
    }
    the_normal_form_escapes_what_has_to_be_in_upper_case {
        send: normal("/%61%c3%a9?%61"),
        judged: Arrives("GET /a%C3%A9?%61 HTTP/1.1\nhost: normal.shop.example.com\n"),
        neighbour: normal("/a%C3%A9"),
    }
    the_route_of_the_normal_form_decides {
        send: normal("/public/..%2fsecret/plan"),
        judged: Answered(403),
        neighbour: normal("/public/secret/plan"),
    }
    a_nul_has_no_normal_form {
        send: normal("/a%00b"),
        judged: Answered(400),
        neighbour: normal("/ab"),
    }
    a_step_up_with_a_parameter_has_no_normal_form {
        send: normal("/a/..;/secret"),
        judged: Answered(400),
        neighbour: normal("/a;b/c"),
    }
    as_it_came_it_arrives {
        send: raw("/a//b%2Fc/%61"),
        judged: Arrives("GET /a//b%2Fc/%61 HTTP/1.1\nhost: raw.shop.example.com\n"),
        neighbour: raw("/a/b"),
    }
    as_it_came_it_cannot_lead_elsewhere {
        send: raw("/public/..%2fsecret/plan"),
        judged: Answered(400),
        neighbour: raw("/public/..%2fopen/plan"),
    }
    as_it_came_it_has_no_nul {
        send: raw("/a%00b"),
        judged: Answered(400),
        neighbour: raw("/a%20b"),
    }
}
