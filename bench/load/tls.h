/* The connections of the load generator and the backend over TLS 1.3: see `struct wire` in common.h. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>

struct wire {
  int fd;
  SSL *tls;
};

static SSL_CTX *tls_context;

/*
 * Sessions to resume, each of them again and again: not every server gives a new ticket where a session is resumed, so
 * that one for each connection would run out. OpenSSL marks the session of some connections that have ended as one that
 * must not be resumed: so what is kept, and what is offered, are copies.
 */
static SSL_SESSION *tls_sessions[256];
static unsigned tls_sessions_count, tls_sessions_used;
static int tls_resumes;

static int tls_keep_session(SSL *tls, SSL_SESSION *session) {
  (void)tls;
  if (!tls_resumes || tls_sessions_count == sizeof tls_sessions / sizeof *tls_sessions) return 0;
  tls_sessions[tls_sessions_count++] = SSL_SESSION_dup(session);
  return 0;
}

static inline void tls_die(const char *what) {
  ERR_print_errors_fp(stderr);
  die(what);
}

/* With a certificate as a server, else as a client. One cipher, so that all contenders compute the same. */
static inline void tls_begin(const char *cert, const char *key) {
  tls_context = SSL_CTX_new(cert != NULL ? TLS_server_method() : TLS_client_method());
  if (tls_context == NULL || !SSL_CTX_set_min_proto_version(tls_context, TLS1_3_VERSION)) tls_die("SSL_CTX_new");
  if (!SSL_CTX_set_ciphersuites(tls_context, "TLS_AES_256_GCM_SHA384")) tls_die("SSL_CTX_set_ciphersuites");
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(tls_context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (cert == NULL) {
    SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls_context, tls_keep_session);
  } else if (SSL_CTX_use_certificate_file(tls_context, cert, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) != 1) {
    tls_die(cert);
  }
}

static inline void wire_wrap(struct wire *w) {
  w->tls = SSL_new(tls_context);
  if (w->tls == NULL || !SSL_set_fd(w->tls, w->fd)) tls_die("SSL_new");
  if (SSL_is_server(w->tls)) {
    SSL_set_accept_state(w->tls);
  } else {
    SSL_set_connect_state(w->tls);
    SSL_set_tlsext_host_name(w->tls, "localhost");
    if (tls_sessions_count > 0) {
      SSL_SESSION *session = SSL_SESSION_dup(tls_sessions[tls_sessions_used++ % tls_sessions_count]);
      SSL_set_session(w->tls, session);
      SSL_SESSION_free(session);
    }
  }
}

/* What a call returns that moved nothing: 0 at the end, else -1 and errno. */
static inline ssize_t tls_nothing(SSL *tls, int result) {
  int error = SSL_get_error(tls, result), code = errno;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  ERR_clear_error();
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN
          : error == SSL_ERROR_SYSCALL && code != 0                      ? code
                                                                         : EPROTO;
  return -1;
}

/* A call of OpenSSL moves one record at most; as many as there are, so that less than was wanted means what it means without TLS. */
static inline ssize_t wire_recv(struct wire *w, void *to, size_t most, int flags) {
  if (flags & MSG_PEEK) {
    int seen = SSL_peek(w->tls, to, (int)most);
    return seen > 0 ? seen : tls_nothing(w->tls, seen);
  }
  size_t got = 0;
  while (got < most) {
    int now = SSL_read(w->tls, (char *)to + got, (int)(most - got));
    if (now <= 0) {
      ssize_t nothing = tls_nothing(w->tls, now);
      return got > 0 ? (ssize_t)got : nothing;
    }
    got += (size_t)now;
  }
  return (ssize_t)got;
}

static inline ssize_t wire_send(struct wire *w, const void *from, size_t bytes) {
  size_t sent = 0;
  while (sent < bytes) {
    int now = SSL_write(w->tls, (const char *)from + sent, (int)(bytes - sent));
    if (now <= 0) {
      ssize_t nothing = tls_nothing(w->tls, now);
      if (nothing == 0) errno = EPIPE;
      return sent > 0 ? (ssize_t)sent : -1;
    }
    sent += (size_t)now;
  }
  return (ssize_t)sent;
}

/* What OpenSSL has decrypted, no event reports: it is never left behind. */
static inline ssize_t wire_discard(struct wire *w, uint64_t want) {
  static char nowhere[CHUNK_BYTES];
  uint64_t got = 0;
  do {
    uint64_t left = want - got;
    ssize_t now = wire_recv(w, nowhere, left < sizeof nowhere ? (size_t)left : sizeof nowhere, 0);
    if (now <= 0) return got > 0 ? (ssize_t)got : now;
    got += (uint64_t)now;
  } while (got < want && SSL_pending(w->tls) > 0);
  return (ssize_t)got;
}

static inline int wire_end(struct wire *w) {
  SSL_shutdown(w->tls);
  ERR_clear_error();
  return shutdown(w->fd, SHUT_WR);
}

static inline void wire_close(struct wire *w) {
  SSL_free(w->tls);
  close(w->fd);
}

static inline int wire_ready(struct wire *w) {
  int done = SSL_do_handshake(w->tls);
  if (done == 1) return 1;
  return tls_nothing(w->tls, done) < 0 && errno == EAGAIN ? 0 : -1;
}

static inline int wire_resumed(struct wire *w) { return SSL_session_reused(w->tls); }

#endif
