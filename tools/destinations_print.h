/* destinations_print.h -- postqueue --destinations. */
#ifndef DESTINATIONS_PRINT_H
#define DESTINATIONS_PRINT_H

/* arg: the configuration. In queue_client_run(). */
void destinations_print(void *arg);

#endif
