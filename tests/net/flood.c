/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood: packets from random sources to one address and port, as fast as asked.
 *
 *   flood [-a | -u] [-r RATE] [-s SEED] COUNT INTERFACE GATEWAY_MAC ADDRESS PORT
 *
 * SYNs, with -a bare ACKs, with -u empty datagrams. IPv4 sources are drawn from 198.18.0.0/15 (RFC 2544), IPv6 ones from
 * 2001:2::/48 (RFC 5180), any source port; checksums are right. Through a packet socket, past the
 * own stack. Prints how many were sent and in how many seconds, as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/net/tool.h"

#define BATCH 64

enum kind {
	KIND_SYN,
	KIND_ACK,
	KIND_DATAGRAM,
};

struct frame {
	struct ether_header ethernet;
	struct iphdr ipv4;
	struct ip6_hdr ipv6;
	struct tcphdr tcp;
	struct udphdr udp;
	struct iovec parts[3]; /* what of it is sent */
};

static uint64_t seed = 1;

static uint64_t draw(void) /* splitmix64 */
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* RFC 1071, over 16-bit words as they lie in memory. */
static uint32_t sum_words(const void *bytes, size_t length, uint32_t sum)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i + 1 < length; i += 2) {
		uint16_t word;

		memcpy(&word, b + i, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void fill_tcp(struct tcphdr *tcp, bool ack, in_port_t port_be, uint32_t pseudo)
{
	*tcp = (struct tcphdr){
		.source = htons((uint16_t)(1024 + draw() % 64512)),
		.dest = port_be,
		.seq = (uint32_t)draw(),
		.ack_seq = ack ? (uint32_t)draw() : 0,
		.doff = 5,
		.syn = !ack,
		.ack = ack,
		.window = htons(65535),
	};
	tcp->check = fold(sum_words(tcp, sizeof(*tcp), pseudo));
}

static void fill_udp(struct udphdr *udp, in_port_t port_be, uint32_t pseudo)
{
	*udp = (struct udphdr){
		.source = htons((uint16_t)(1024 + draw() % 64512)),
		.dest = port_be,
		.len = htons(sizeof(*udp)),
	};
	udp->check = fold(sum_words(udp, sizeof(*udp), pseudo));
	if (!udp->check)
		udp->check = 0xffff;
}

static size_t length_of(enum kind kind)
{
	return kind == KIND_DATAGRAM ? sizeof(struct udphdr) : sizeof(struct tcphdr);
}

static uint8_t protocol_of(enum kind kind)
{
	return kind == KIND_DATAGRAM ? IPPROTO_UDP : IPPROTO_TCP;
}

/* `addresses`: the sum of both. */
static void fill_transport(struct frame *frame, enum kind kind, in_port_t port_be, uint32_t addresses)
{
	uint32_t pseudo = addresses + htons(protocol_of(kind)) + htons((uint16_t)length_of(kind));

	if (kind == KIND_DATAGRAM) {
		fill_udp(&frame->udp, port_be, pseudo);
		frame->parts[2] = (struct iovec){&frame->udp, sizeof(frame->udp)};
	} else {
		fill_tcp(&frame->tcp, kind == KIND_ACK, port_be, pseudo);
		frame->parts[2] = (struct iovec){&frame->tcp, sizeof(frame->tcp)};
	}
}

static void fill_ipv4(struct frame *frame, const struct sockaddr_in *to, enum kind kind)
{
	struct iphdr *ip = &frame->ipv4;

	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(*ip) + length_of(kind))),
		.ttl = 64,
		.protocol = protocol_of(kind),
		.saddr = htonl(0xc6120000 | (uint32_t)(draw() % 0x1fffe + 1)),
		.daddr = to->sin_addr.s_addr,
	};
	ip->check = fold(sum_words(ip, sizeof(*ip), 0));
	fill_transport(frame, kind, to->sin_port, sum_words(&ip->saddr, 8, 0));
	frame->parts[1] = (struct iovec){ip, sizeof(*ip)};
}

static void fill_ipv6(struct frame *frame, const struct sockaddr_in6 *to, enum kind kind)
{
	static const uint8_t from[6] = {0x20, 0x01, 0x00, 0x02, 0x00, 0x00};
	struct ip6_hdr *ip = &frame->ipv6;
	uint64_t host = draw();

	memset(ip, 0, sizeof(*ip));
	ip->ip6_vfc = 0x60;
	ip->ip6_plen = htons((uint16_t)length_of(kind));
	ip->ip6_nxt = protocol_of(kind);
	ip->ip6_hlim = 64;
	memcpy(&ip->ip6_src, from, sizeof(from));
	memcpy((uint8_t *)&ip->ip6_src + 8, &host, sizeof(host));
	ip->ip6_dst = to->sin6_addr;
	fill_transport(frame, kind, to->sin6_port, sum_words(&ip->ip6_src, 32, 0));
	frame->parts[1] = (struct iovec){ip, sizeof(*ip)};
}

static void fill(struct frame *frame, const struct sockaddr_storage *to, enum kind kind)
{
	if (to->ss_family == AF_INET)
		fill_ipv4(frame, (const void *)to, kind);
	else
		fill_ipv6(frame, (const void *)to, kind);
	frame->parts[0] = (struct iovec){&frame->ethernet, sizeof(frame->ethernet)};
}

static int open_interface(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0 || !at.sll_ifindex || bind(fd, (void *)&at, sizeof(at)))
		return -1;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	return fd;
}

static int parse_mac(const char *text, uint8_t ret_mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", ret_mac, ret_mac + 1, ret_mac + 2,
		      ret_mac + 3, ret_mac + 4, ret_mac + 5) == 6
		       ? 0
		       : -1;
}

/* Returns how many were sent. What the interface has no room for is tried again. */
static uint64_t send_all(int fd, struct frame *frames, const struct sockaddr_storage *to, enum kind kind,
			 uint64_t count, double rate)
{
	double begin = tool_now_s(CLOCK_MONOTONIC);
	uint64_t sent = 0;

	while (sent < count) {
		unsigned batch = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
		struct mmsghdr messages[BATCH] = {0};
		int n;

		if (rate > 0 && (double)sent > (tool_now_s(CLOCK_MONOTONIC) - begin) * rate) {
			usleep(200);
			continue;
		}
		for (unsigned i = 0; i < batch; i++) {
			fill(&frames[i], to, kind);
			messages[i].msg_hdr.msg_iov = frames[i].parts;
			messages[i].msg_hdr.msg_iovlen = 3;
		}
		n = sendmmsg(fd, messages, batch, 0);
		if (n > 0)
			sent += (unsigned)n;
		else if (errno != ENOBUFS && errno != EAGAIN)
			break;
	}
	return sent;
}

int main(int argc, char **argv)
{
	static struct frame frames[BATCH];
	struct sockaddr_storage to;
	enum kind kind = KIND_SYN;
	double rate = 0, begin;
	uint64_t sent = 0, count = 0;
	uint8_t mac[6];
	int option, fd = -1;

	while ((option = getopt(argc, argv, "aur:s:")) != -1) {
		switch (option) {
		case 'a':
			kind = KIND_ACK;
			break;
		case 'u':
			kind = KIND_DATAGRAM;
			break;
		case 'r':
			rate = strtod(optarg, NULL);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			optind = argc;
			break;
		}
	}
	if (argc - optind != 5 || parse_mac(argv[optind + 2], mac) ||
	    !tool_parse_address(argv[optind + 3], argv[optind + 4], &to)) {
		fprintf(stderr, "usage: flood [-a | -u] [-r RATE] [-s SEED] COUNT INTERFACE "
				"GATEWAY_MAC ADDRESS PORT\n");
		return 2;
	}
	count = strtoull(argv[optind], NULL, 0);
	fd = open_interface(argv[optind + 1]);
	if (fd < 0) {
		perror("flood");
		return 1;
	}
	for (int i = 0; i < BATCH; i++) {
		memcpy(frames[i].ethernet.ether_dhost, mac, 6);
		frames[i].ethernet.ether_shost[0] = 2;
		frames[i].ethernet.ether_type =
			htons(to.ss_family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	}
	begin = tool_now_s(CLOCK_MONOTONIC);
	sent = send_all(fd, frames, &to, kind, count, rate);
	printf("{\"sent\": %lu, \"seconds\": %.2f}\n", sent, tool_now_s(CLOCK_MONOTONIC) - begin);
	return sent == count ? 0 : 1;
}
