/* The minimum cost of a fan-out: one send() per socket and message, and nothing else.
 *
 * fanout CONNECTIONS MESSAGES RATE LENGTH
 *
 * It prints its port, accepts CONNECTIONS and their handshakes without parsing them, and reads LENGTH bytes from
 * stdin: the frame in its form on the wire. After one more byte it sends the frame to every socket MESSAGES times,
 * RATE per second. It exits when stdin is closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_all(char *into, size_t length) {
    while (length) {
        ssize_t count = read(STDIN_FILENO, into, length);
        if (count <= 0) fail("read");
        into += count;
        length -= (size_t)count;
    }
}

static void send_all(int descriptor, const char *data, size_t length) {
    while (length) {
        ssize_t count = send(descriptor, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno != EAGAIN && errno != EINTR) fail("send");
            struct pollfd waiting = {.fd = descriptor, .events = POLLOUT};
            poll(&waiting, 1, -1);
            continue;
        }
        data += count;
        length -= (size_t)count;
    }
}

int main(int count, char **words) {
    if (count != 5) {
        fprintf(stderr, "usage: fanout CONNECTIONS MESSAGES RATE LENGTH\n");
        return 2;
    }
    int connections = atoi(words[1]), messages = atoi(words[2]), rate = atoi(words[3]), one = 1;
    size_t length = (size_t)atol(words[4]);
    int *sockets = calloc((size_t)connections, sizeof *sockets);
    char *frame = malloc(length), request[4096], go;
    const char *accepted = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (!sockets || !frame || listening < 0 || bind(listening, (void *)&address, size) ||
        listen(listening, 4096) || getsockname(listening, (void *)&address, &size))
        fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int index = 0; index < connections; index++) {
        sockets[index] = accept(listening, NULL, NULL);
        if (sockets[index] < 0) fail("accept");
        setsockopt(sockets[index], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (read(sockets[index], request, sizeof request) <= 0) fail("handshake");
        send_all(sockets[index], accepted, strlen(accepted));
    }
    read_all(frame, length);
    read_all(&go, 1);
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (int message = 0; message < messages; message++) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        for (int index = 0; index < connections; index++) send_all(sockets[index], frame, length);
        due.tv_nsec += 1000000000 / rate;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
    }
    while (read(STDIN_FILENO, &go, 1) > 0) {}
    return 0;
}
